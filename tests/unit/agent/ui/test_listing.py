"""Lists: words, expressions, and the place of a mistake in one."""

from __future__ import annotations

import pytest

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.ui.pages.listing import filtered, is_expression, words_match
from pyconsul.agent.ui.pages.services.heartbeats import literal


@pytest.mark.parametrize(
    ("expression", "at"),
    [
        ("Name ==", len("Name ==")),
        ("Name foo", len("Name ")),
        ('Name == "a" and Wrong == "b"', len('Name == "a" and ')),
        ("(Name == a", len("(Name == a")),
    ],
)
def test_the_place_of_a_mistake_is_marked(expression: str, at: int) -> None:
    _, mistake = filtered([], expression, HealthCheck)
    assert mistake is not None
    line, mark = mistake.marked.split("\n")
    assert line == expression
    assert abs(mark.index("^") - at) <= 2


def test_every_word_must_occur() -> None:
    assert words_match("WEB v1", "web", "V1")
    assert not words_match("web v2", "web", "v1")
    assert not is_expression("web v1")
    assert is_expression("Name == web")


@pytest.mark.parametrize("text", ["plain", 'a"b', "a\\b", 'a`b"c', "a\nb", "🦀", ""])
def test_any_name_can_be_filtered_by(text: str) -> None:
    rows = [check(text), check("other")]
    kept, mistake = filtered(rows, f"Name == {literal(text)}", HealthCheck)
    assert mistake is None
    assert kept == rows[:1]


def check(name: str) -> HealthCheck:
    return HealthCheck(
        node="n", check_id="c", name=name, status="passing", notes="", output="", service_id="", service_name="",
        service_tags=[], type="", interval="", timeout="", definition={}, create_index=0, modify_index=0,
    )  # fmt: skip
