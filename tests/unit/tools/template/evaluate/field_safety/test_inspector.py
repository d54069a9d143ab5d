"""Renderings in which a field of the catalog would break a line, or be another word, are refused; others are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyconsul.tools.template.evaluate.contract import Evaluation, UnsafeField
from pyconsul.tools.template.evaluate.evaluator import Evaluator
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.spec import Spec

EVIL = "10.0.0.9:1\nglobal\n external-check\nserver z 10.0.0.9"


def instance(ident: str = "web-1", address: str = "10.0.0.1", output: str = "ok", **service: Any) -> dict[str, Any]:
    return {
        "Node": {"Node": "n1", "Address": "10.0.0.1", "Meta": {"zone": "z"}},
        "Service": {"ID": ident, "Service": "web", "Port": 80, "Address": address, **service},
        "Checks": [{"CheckID": "c", "Name": "Service 'web' check", "Status": "passing", "Output": output}],
    }


def evaluate(contents: str, *instances: dict[str, Any], syntax: str = "jinja2", format: str = "") -> Evaluation:
    answers = Answers()
    lookup = lookups.service("web")[0]
    answers.put(lookup, lookup.decode(list(instances)))
    answers.put(lookups.key("lines"), lookups.key("lines").decode([{"Key": "lines", "Value": "YQpi"}]))
    spec = Spec("out", contents=contents, syntax=syntax, format=format)
    return Evaluator(spec, {}).evaluate(answers)


def jinja(printed: str) -> str:
    return f"top\n{{% for i in service('web') %}}server {printed}:{{{{ i.port }}}}\n{{% endfor %}}"


def go(printed: str) -> str:
    return f'top\n{{{{ range service "web" }}}}server {printed}:{{{{ .Port }}}}\n{{{{ end }}}}'


@pytest.mark.parametrize("format", ["", "haproxy", "nginx", "shell"])
@pytest.mark.parametrize(
    ("syntax", "contents"),
    [
        ("jinja2", jinja("{{ i.address }}")),
        ("jinja2", jinja("{{ (i.address ~ 'x')|upper }}")),
        ("jinja2", jinja("{{ '%s' % i.address[3:] }}")),
        ("go", go("{{ .Address }}")),
        ("go", go('{{ printf "%s!" .Address | toUpper }}')),
    ],
)
def test_a_line_break_is_refused_however_it_is_printed(syntax: str, contents: str, format: str) -> None:
    result = evaluate(contents, instance(), instance("bad", EVIL), syntax=syntax, format=format)
    assert isinstance(result.error, UnsafeField)
    assert "service web, instance bad on node n1: the field Address is '10.0.0.9:1\\nglobal" in str(result.error)


def test_the_message_has_file_and_line(tmp_path: Path) -> None:
    for name, syntax, text in (("a.j2", "jinja2", jinja("{{ i.address }}")), ("a.ctmpl", "go", go("{{ .Address }}"))):
        (tmp_path / name).write_text(text)
        answers = Answers()
        lookup = lookups.service("web")[0]
        answers.put(lookup, lookup.decode([instance("bad", EVIL)]))
        spec = Spec("out", source=str(tmp_path / name), syntax=syntax)
        assert f"{name}:2:" in str(Evaluator(spec, {}).evaluate(answers).error)


def test_fields_that_are_not_printed_do_no_harm() -> None:
    bad = instance("bad", Meta={"note": "a\nb", "x y": "#"}, Tags=["two words"])
    for format in ("", "haproxy"):
        assert evaluate(jinja("{{ i.address }}"), bad, format=format).error is None
        text = jinja("{% if 'two words' in i.tags and i.service_meta.note == 'a\nb' %}{{ i.address }}{% endif %}")
        assert evaluate(text, bad, format=format).text.endswith("server 10.0.0.1:80\n")


@pytest.mark.parametrize("value", ["a b", "a#b", 'a"b', "a\\", "$HOME", "a\tb"])
def test_an_additional_word_of_haproxy_is_refused_unless_raw_or_quoted(value: str) -> None:
    bad = instance("bad", Meta={"note": value})
    refused = evaluate(jinja("x {{ i.service_meta.note }} y"), bad, format="haproxy")
    assert isinstance(refused.error, UnsafeField)
    assert "| haproxy quotes it, | raw prints it as it is" in str(refused.error)
    assert evaluate(jinja("{{ i.service_meta.note }}"), bad).error is None
    raw = evaluate(jinja("x {{ i.service_meta.note | raw }} y"), bad, format="haproxy")
    assert (raw.error, value in raw.text) == (None, True)
    assert evaluate(jinja("x {{ i.service_meta.note | haproxy }} y"), bad, format="haproxy").error is None
    go_raw = evaluate(go('x {{ index .ServiceMeta "note" | raw }} y'), bad, syntax="go", format="haproxy")
    assert (go_raw.error, value in go_raw.text) == (None, True)
    assert evaluate(go('x {{ index .ServiceMeta "note" | haproxy }}'), bad, syntax="go", format="haproxy").error is None


def test_quoted_text_is_one_word() -> None:
    good, bad = instance(Meta={"note": "a b#c"}), instance(Meta={"note": 'a" b "c'})
    text = jinja('x "{{ i.service_meta.note }}" y')
    assert evaluate(text, good, format="haproxy").error is None
    assert isinstance(evaluate(text, bad, format="haproxy").error, UnsafeField)


@pytest.mark.parametrize(
    ("format", "good", "bad", "quoted"),
    [
        ("nginx", 'x "{}";\n', "x {};\n", "x {} ;\n"),
        ("shell", "x='{}'\n", "x={}\n", "x={}\n"),
        ("json", '{{"x": "{}"}}\n', '{{"x": {}}}\n', '{{"x": {}}}\n'),
    ],
)
def test_other_formats(format: str, good: str, bad: str, quoted: str) -> None:
    one = instance(Meta={"note": "a b; rm {} #"})
    field = "{{ service('web')[0].service_meta.note }}"

    def filled(text: str, printed: str) -> str:
        return (
            text.replace("{}", printed).replace('{{"', '{"').replace("}}\n", "}\n")
            if '{{"' in text
            else text.replace("{}", printed)
        )

    assert evaluate(filled(good, field), one, format=format).error is None
    assert isinstance(evaluate(filled(bad, field), one, format=format).error, UnsafeField)
    assert evaluate(filled(quoted, field.replace(" }}", f" | {format} }}}}")), one, format=format).error is None


def test_a_yaml_document_keeps_its_structure() -> None:
    text = "hosts:\n{% for i in service('web') %}- {{ i.service_meta.note }}\n{% endfor %}"
    assert evaluate(text, instance(Meta={"note": "plain words"}), format="yaml").error is None
    assert isinstance(evaluate(text, instance(Meta={"note": "a: b"}), format="yaml").error, UnsafeField)
    assert isinstance(evaluate(text, instance(Meta={"note": "&x *x"}), format="yaml").error, UnsafeField)


def test_keys_may_have_several_lines() -> None:
    assert evaluate("{{ key('lines') }}{{ service('web')|length }}", instance(), format="haproxy").error is None


def test_outputs_of_checks_are_free_texts_but_not_in_a_marked_format() -> None:
    text = "# {% for i in service('web') %}{{ i.checks[0].output }}{% endfor %}\n"
    talkative = instance(output="one\ntwo")
    assert evaluate(text, talkative).error is None
    assert isinstance(evaluate(text, talkative, format="haproxy").error, UnsafeField)


def test_a_template_that_cleans_a_field_itself_is_fine() -> None:
    bad = instance("bad", EVIL)
    assert evaluate(jinja("{{ i.address | replace('\n', '') }}"), bad).error is None
    assert evaluate(go(r'{{ .Address | replaceAll "\n" "" }}'), bad, syntax="go").error is None
    assert evaluate(jinja("{{ i.address | to_json }}"), bad).error is None


@pytest.mark.parametrize("value", ["'$(id)'", "`id`", "$(id)", '"; id; "', "\\"])
def test_nothing_is_expanded_within_the_quotes_of_a_shell(value: str) -> None:
    one = instance(Meta={"note": value})
    text = "x=\"{{ service('web')[0].service_meta.note }}\"\n"
    assert isinstance(evaluate(text, one, format="shell").error, UnsafeField)
    assert (
        evaluate(text.replace('"', "'").replace("('web')", '("web")'), one, format="shell").error is None
        or "'" in value
    )
