"""The evaluator's interface: functions that are given, options, delimiters, depth, and that templates keep no state."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.gotemplate.errors import TemplateError
from pyconsul.tools.gotemplate.runtime.signature import function
from pyconsul.tools.gotemplate.runtime.values import Channel, Map, Slice, strings
from pyconsul.tools.gotemplate.template import parse


def execute(text: str, dot: Any = None, functions: dict[str, Callable[..., Any]] | None = None, **options: Any) -> str:
    functions = functions or {}
    return parse("t", text, functions=functions, **options).execute(dot, functions)


def error_of(text: str, dot: Any = None, **options: Any) -> str:
    with pytest.raises(TemplateError) as caught:
        execute(text, dot, **options)
    return str(caught.value)


def test_plain_callables_are_functions() -> None:
    functions = {"twice": lambda text, times=2: text * times}
    assert execute('{{ twice "a" }}{{ twice "b" 3 }}', functions=functions) == "aabbb"


def test_number_of_arguments_of_plain_callables() -> None:
    message = error_of("{{ f 1 2 3 }}", functions={"f": lambda a, b=1: a})
    assert message == 'template: t:1:3: executing "t" at <f>: wrong number of args for f: want 2 got 3'


def test_functions_may_differ_from_run_to_run() -> None:
    template = parse("t", "{{ f 1 }}", functions=["f"])
    assert template.execute(None, {"f": lambda a: a}) == "1"
    assert template.execute(None, {"f": function(lambda a: a / 2, "float64")}) == "0.5"


def test_function_that_is_missing_at_execution() -> None:
    with pytest.raises(TemplateError, match='"f" is not a defined function'):
        parse("t", "{{ f }}", functions=["f"]).execute(None, {})


def test_errors_of_functions_are_placed() -> None:
    def broken() -> None:
        raise OSError("disk on fire")

    assert error_of("a\n {{ f }}", functions={"f": broken}) == (
        'template: t:2:4: executing "t" at <f>: error calling f: disk on fire'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n {{ nope }}", 'template: t:2:4: function "nope" not defined'),
        ("žluť{{ end }}", "template: t:1:13: unexpected {{end}}"),
        ('{{ printf "a }}', "template: t:1:10: unterminated quoted string"),
        ("{{ if 1 }}\n", "template: t:2:0: unexpected EOF"),
    ],
)
def test_errors_of_the_syntax_are_placed(text: str, message: str) -> None:
    assert error_of(text).startswith(message)


def test_columns_count_bytes() -> None:
    assert error_of("žluť{{ len 3 }}").startswith("template: t:1:9: ")


@pytest.mark.parametrize(
    ("option", "shown"), [("zero", "<no value>|"), ("default", "<no value>|<no value>")], ids=["zero", "default"]
)
def test_missing_keys(option: str, shown: str) -> None:
    dot = {"any": {}, "texts": Map("map[string]string")}
    assert execute("{{ .any.a }}|{{ .texts.a }}", dot, missing_key=option) == shown


def test_missing_keys_as_errors() -> None:
    assert error_of("{{ .a }}", {}, missing_key="error").endswith('map has no entry for key "a"')
    assert error_of("{{ .a }}", None, missing_key="error").endswith('nil data; no entry for key "a"')


def test_own_and_instead_of_the_language_s() -> None:
    assert execute("{{ and 0 1 }}", functions={"and": lambda a, b: f"{a}+{b}"}) == "0+1"


def test_break_as_a_function() -> None:
    assert execute("{{ break }}", functions={"break": lambda: "crack"}) == "crack"


def test_delimiters() -> None:
    assert execute("<< 1 >> {{ 2 }} <<- 3 ->> x", left_delim="<<", right_delim=">>") == "1 {{ 2 }}3x"


def test_ranging_over_a_channel_empties_it() -> None:
    channel = Channel(iter((5, 6)))
    assert execute("{{ range . }}{{ . }}{{ end }}{{ range . }}x{{ else }}-{{ end }}", channel) == "56-"


def test_typed_lists() -> None:
    assert execute('{{ printf "%T %T" . (slice . 1) }}', strings(["a", "b"])) == "[]string []string"
    named = Slice("dependency.ServiceTags", ["a"], "[]string")
    assert execute("{{ f . }}", named, {"f": function(",".join, "[]string")}) == "a"


def test_structs_without_pointers() -> None:
    class Address:
        go_type: ClassVar[str] = "dependency.Address"
        go_fields: ClassVar[tuple[str, ...]] = ("Address", "Port")
        go_pointer: ClassVar[bool] = False

        def __init__(self) -> None:
            self.Address, self.Port = "10.0.0.1", 80

    assert execute('{{ . }} {{ printf "%v %+v %T" . . . }} {{ .Port }}', Address()) == (
        "{10.0.0.1 80} {10.0.0.1 80} {Address:10.0.0.1 Port:80} dependency.Address 80"
    )


def test_template_names_and_recursion() -> None:
    text = '{{ define "n" }}{{ . }}{{ with index $ "next" }}{{ template "n" . }}{{ end }}{{ end }}{{ template "n" . }}'
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"next": deep}
    assert execute(text.replace("{{ . }}{{ with", "x{{ with"), deep) == "x" * 300


def test_endless_recursion_is_an_error() -> None:
    assert "exceeded maximum template depth" in error_of(
        '{{ define "n" }}{{ template "n" }}{{ end }}{{ template "n" }}'
    )
    endless = '{{ define "n" }}{{ executeTemplate "n" }}{{ end }}{{ executeTemplate "n" }}'
    assert "exceeded maximum template depth" in error_of(endless)


def test_execute_template() -> None:
    text = '{{ define "n" }}<{{ . }}>{{ end }}{{ executeTemplate "n" 3 | len }}{{ executeTemplate "n" }}'
    assert execute(text) == "3<<no value>>"
    assert 'no template "x" associated with template "t"' in error_of('{{ executeTemplate "x" }}')
    assert "expected 1 or 2, but got 3" in error_of('{{ executeTemplate "t" 1 2 }}')


def test_deep_nesting_is_an_error() -> None:
    assert "max expression depth exceeded" in error_of("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}")
    assert "nested too deeply" in error_of("{{ if 1 }}" * 2000 + "{{ end }}" * 2000)


def test_long_chains_of_else_if() -> None:
    chain = "{{ if eq . 0 }}0" + "".join(f"{{{{ else if eq . {i} }}}}{i}" for i in range(1, 600)) + "{{ end }}"
    assert execute(chain, 599) == "599"


PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "(",
        ")",
        "|",
        "$",
        "$x",
        ":=",
        "=",
        ".",
        ".a",
        "if",
        "end",
        "else",
        "range",
        "with",
        "define",
        "template",
        "block",
        "break",
        "nil",
        '"s"',
        "`r`",
        "'c'",
        "1",
        "0x",
        "1.5",
        "len",
        "print",
        ",",
        "\n",
        "/*",
        "*/",
        "-",
        "é",
        '"',
        "\\",
        "\x00",
        "true",
        "index",
        "and",
    ]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=30))
def test_only_template_errors(pieces: list[str]) -> None:
    with suppress(TemplateError):
        parse("t", "".join(pieces)).execute(None, {})


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_text_is_itself(text: str) -> None:
    assert execute(text.replace("{{", "")) == text.replace("{{", "")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_any_value_can_be_shown(value: Any) -> None:
    template = '{{ . }}{{ print . }}{{ printf "%v %+v %#v %T %d %s %q %x" . . . . . . . . }}{{ html . }}{{ not . }}'
    assert execute(template, value)


def test_methods_by_name() -> None:
    class Tags(Slice):
        go_methods: ClassVar[tuple[str, ...]] = ("Contains",)

        def Contains(self, tag: str) -> bool:  # noqa: N802
            return tag in self

    dot = {"Tags": Tags("dependency.ServiceTags", ["a"], "[]string")}
    assert execute('{{ .Tags.Contains "a" }} {{ "b" | .Tags.Contains }} {{ len .Tags }}', dot) == "true false 1"
    assert "wrong number of args for Contains: want 1 got 0" in error_of("{{ .Tags.Contains }}", dot)
