"""Jinja2 templates: what they see, what they wait for, how their errors read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyconsul.tools.template.evaluate.contract import Evaluation, TemplateError
from pyconsul.tools.template.evaluate.evaluator import Evaluator
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.feed.lookups import Lookup
from pyconsul.tools.template.spec import Spec

WEB = [
    {
        "Node": {"Node": "n2", "Address": "10.0.0.2", "Meta": None, "TaggedAddresses": {"lan": "10.0.0.2"}},
        "Service": {"ID": "w2", "Service": "web", "Port": 82, "Tags": ["b", "a"], "Meta": {"zone": "z"}},
        "Checks": [{"CheckID": "c", "Status": "passing"}, {"CheckID": "d", "Status": "warning"}],
    },
    {
        "Node": {"Node": "n1", "Address": "10.0.0.1"},
        "Service": {"ID": "w1", "Service": "web", "Port": 81, "Address": "1.1.1.1", "Weights": {"Passing": 7}},
        "Checks": [],
    },
]
PAIRS = [
    {"Key": "app/", "Value": None},
    {"Key": "app/db/host", "Value": "ZGIx"},
    {"Key": "app/name", "Value": "c2hvcA==", "Flags": 3},
]


def answers(*known: tuple[Lookup, Any]) -> Answers:
    found = Answers()
    for lookup, body in known:
        found.put(lookup, lookup.decode(body))
    return found


KNOWN = answers(
    (lookups.service("web")[0], WEB),
    (lookups.service("web|any")[0], WEB),
    (lookups.services(), {"web": ["a", "b"], "api": []}),
    (lookups.keys("app", folder=True), PAIRS),
    (lookups.keys("none", folder=True), None),
    (lookups.key("app/name"), PAIRS[2:]),
    (lookups.key("none"), None),
    (lookups.own_node(), {"Config": {"NodeName": "n1"}}),
    (lookups.node("n1"), {"Node": {"Node": "n1", "Address": "10.0.0.1"}, "Services": {"w": {"ID": "w"}}}),
    (lookups.node("n9"), None),
    (lookups.datacenters(), ["dc1", "dc2"]),
)


def evaluate(text: str, known: Answers = KNOWN, **spec: Any) -> Evaluation:
    spec = {"contents": text, **spec}
    return Evaluator(Spec("out", **spec), {"HOME": "/h"}).evaluate(known)


def error_of(text: str, **spec: Any) -> str:
    return str(evaluate(text, **spec).error)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (
            "{% for s in service('web') %}{{ s.ID }}@{{ s.address }}:{{ s.Port }} {% endfor %}",
            "w1@1.1.1.1:81 w2@10.0.0.2:82 ",
        ),
        ("{{ service('web')[1].NodeAddress }} {{ service('web')[1].node_address }}", "10.0.0.2 10.0.0.2"),
        ("{{ service('web')[1].tags|join('+') }} {{ service('web')[1].Status }}", "a+b warning"),
        ("{{ service('web')[1].service_meta.zone }} {{ service('web')[0].weights.passing }}", "z 7"),
        ("{{ service('web')[1].checks[0].check_id }}", "c"),
        ("{{ service('web', status='warning')|map(attribute='id')|list }}", "['w2']"),
        ("{% for s in services() %}{{ s.name }}{{ s.tags }}{% endfor %}", "api[]web['a', 'b']"),
        ("{{ key('app/name') }} {{ key_or_default('none', 'x') }} {{ key_exists('none') }}", "shop x False"),
        ("{% for p in tree('app') %}{{ p.key }}={{ p.value }};{% endfor %}", "db/host=db1;name=shop;"),
        ("{% for p in ls('app') %}{{ p.path }} {{ p.flags }}{% endfor %}", "app/name 3"),
        ("{{ tree('none') }}{{ tree('app')|explode|to_json }}", '[]{"db": {"host": "db1"}, "name": "shop"}'),
        ("{{ (tree('app')|by_key).db.host.value }}", "db1"),
        ("{% for tag, list in (service('web')|by_tag).items() %}{{ tag }}{{ list|length }}{% endfor %}", "a1b1"),
        ("{{ node().node.address }} {{ node('n9') is none }} {{ datacenters()|join(',') }}", "10.0.0.1 True dc1,dc2"),
        ("{{ env('HOME') }} {{ env('NO', 'default') }}", "/h default"),
        ("a\n", "a\n"),
    ],
)
def test_texts(template: str, text: str) -> None:
    result = evaluate(template)
    assert result.error is None
    assert result.complete
    assert result.text == text


def test_a_missing_lookup_is_noted_and_later_ones_too() -> None:
    result = evaluate("{{ key('new') }}{% for s in service('other') %}{{ s.x.y }}{% endfor %}")
    assert result.missing == {lookups.key("new"), lookups.service("other")[0]}
    assert not result.complete


def test_an_error_may_be_due_to_missing_data() -> None:
    assert evaluate("{{ service('other')[0].id }}").error is None
    assert "no element" in error_of("{{ service('web')[5].id }}")


def test_a_key_that_does_not_exist_is_waited_for_and_keeps_its_last_value() -> None:
    known = answers((lookups.key("k"), PAIRS[2:]))
    known.put(lookups.key("k"), None)
    assert evaluate("{{ key('k') }} {{ key_exists('k') }}", known).text == "shop False"
    assert evaluate("{{ key('none') }}").missing == {lookups.key("none")}
    assert evaluate("{{ safe_tree('none') }}").missing == {lookups.keys("none", folder=True)}


def test_used_lookups_are_known() -> None:
    assert evaluate("{{ key('app/name') }}").used == {lookups.key("app/name")}


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("\n{{ nope }}", "contents of out:2: 'nope' is undefined"),
        ("{{ 'x'|parse_json }}", "contents of out:1: parse_json"),
        ("{{ service('a b') }}", "contents of out:1: invalid service 'a b': use"),
        ("{{ 1 // 0 }}", "contents of out:1: ZeroDivisionError"),
        ("{% include 'none' %}", "there is no template 'none' in the folder '.'"),
        ("{{ 'x'|regex_match('(') }}", "invalid regular expression"),
        ("{{ service('web')[0].nope }}", "an instance has no field 'nope'"),
        ("{{ service('web')[0].adress }}", "an instance has no field 'adress'; did you mean 'address'?"),
        ("{{ srvice('web') }}", "'srvice' is undefined; did you mean 'service'?"),
        ("{{ service() }}", 'service() needs a name, such as service("web")'),
        ("{{ service('web', tagg='a') }}", "service() got an unexpected keyword argument 'tagg'"),
        ("{{ key() }}", 'key() needs a path, such as key("app/name")'),
        ("{{ [1].x }}", "a list has no field 'x'"),
    ],
)
def test_errors_name_file_and_line(template: str, error: str) -> None:
    assert error in error_of(template)


def test_an_unknown_filter_suggests_the_nearest() -> None:
    with pytest.raises(TemplateError, match=r"contents of out:1: there is no filter 'lenght'; did you mean 'length'\?"):
        evaluate("{{ [1]|lenght }}")


def test_syntax_errors_name_file_and_line(tmp_path: Path) -> None:
    source = tmp_path / "a.j2"
    source.write_text("ok\n{% if %}\n")
    with pytest.raises(TemplateError, match=r"a\.j2:2: "):
        Evaluator(Spec("out", source=str(source)), {})
    with pytest.raises(TemplateError, match="no such file"):
        Evaluator(Spec("out", source=str(tmp_path / "none")), {})


def test_includes_and_macros_come_from_the_template_s_folder(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("{% from 'm.j2' import one %}{{ one() }}{% include 'i.j2' %}")
    (tmp_path / "m.j2").write_text("{% macro one() %}{{ key('app/name') }}{% endmacro %}")
    (tmp_path / "i.j2").write_text("-{{ datacenters()|length }}")
    evaluator = Evaluator(Spec("out", source=str(tmp_path / "a.j2")), {})
    assert evaluator.evaluate(KNOWN).text == "shop-2"
    (tmp_path / "i.j2").write_text("\n{{ nope }}")
    error = Evaluator(Spec("out", source=str(tmp_path / "a.j2")), {}).evaluate(KNOWN).error
    assert str(error).endswith("i.j2:2: 'nope' is undefined; did you mean 'node'?")


def test_denied_functions_and_the_sandbox(tmp_path: Path) -> None:
    assert "env is denied" in error_of("{{ env('HOME') }}", denylist=("en*",))
    inside, outside = tmp_path / "box", tmp_path / "secret"
    inside.mkdir()
    assert "outside of the sandbox" in error_of(f"{{{{ file('{outside}') }}}}", sandbox=str(inside))


def test_delimiters() -> None:
    assert evaluate("<< key('app/name') >> {{ x }}", left="<<", right=">>").text == "shop {{ x }}"
