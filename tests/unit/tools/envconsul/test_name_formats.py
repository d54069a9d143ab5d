"""Formats of variables' names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.envconsul.name_formats import FormatError, Function, render, replace_key

FUNCTIONS: dict[str, Function] = {
    "key": lambda: "db/name",
    "service": lambda: "web",
    "replaceKey": replace_key,
    "env": lambda name: {"STAGE": "prod"}.get(name, ""),
}


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("plain", "plain"),
        ("", ""),
        ("x_{{ key }}", "x_db/name"),
        ("{{service}}_the_{{key}}", "web_the_db/name"),
        ("{{ key | replaceKey `name` `title` }}", "db/title"),
        ('{{ replaceKey "name" "title" "a name" }}', "a title"),
        ("{{ key | replaceKey `name` `a` | replaceKey `a` `b` }}", "db/b"),
        ('{{ env "STAGE" }}/app', "prod/app"),
        ('{{ "a \\" }} b" }}', 'a " }} b'),
        ("{{ `}}` }}", "}}"),
        ("a {{- key -}} b", "adb/nameb"),
        ("{ x }", "{ x }"),
        ("{{ if eq service `web` }}www{{ else }}{{ service }}{{ end }}", "www"),
        ('{{ printf "%s-%s" service (env `NONE`) }}', "web-"),
    ],
)
def test_formats(source: str, result: str) -> None:
    assert render(source, FUNCTIONS) == result


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("{{ nope }}", '"nope" not defined .its functions: env, key'),
        ("{{ key", "unclosed action"),
        ("{{ }}", "missing value"),
        ("{{ key `x` }}", "wrong number of args for key"),
        ("{{ replaceKey `a` }}", "wrong number of args for replaceKey"),
        ("{{ replaceKey 1 `a` `b` }}", "expected string"),
    ],
)
def test_bad_formats(source: str, word: str) -> None:
    with pytest.raises(FormatError, match=word):
        render(source, FUNCTIONS)


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_stays(text: str) -> None:
    assert render(text, {}) == text
