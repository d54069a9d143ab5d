"""Formats of variables' names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.envconsul.formats import FormatError, render, replace_key

FUNCTIONS = {
    "key": lambda: "db/name",
    "service": lambda: "web",
    "replaceKey": replace_key,
    "env": {"STAGE": "prod"}.__getitem__,
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
    ],
)
def test_formats(source: str, result: str) -> None:
    assert render(source, FUNCTIONS) == result


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("{{ nope }}", "unknown function 'nope'; allowed: env, key"),
        ("{{ key", "not closed"),
        ("{{ }}", "empty"),
        ("{{ key | }}", "empty"),
        ("{{ key `x` }}", "number of arguments"),
        ("{{ replaceKey `a` }}", "number of arguments"),
        ("{{ (key) }}", "cannot read"),
    ],
)
def test_bad_formats(source: str, word: str) -> None:
    with pytest.raises(FormatError, match=word):
        render(source, FUNCTIONS)


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_stays(text: str) -> None:
    assert render(text, {}) == text
