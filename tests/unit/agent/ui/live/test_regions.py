"""Regions: what a browser gets when a page has changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.ui.live.regions import Region, Regions, Rendering, difference, version_of, without_times

LIST = """{% call live.region("list") %}<table>{% for name, text in rows.items() %}{% call live.row(name) %}{{ text }}
{%- endcall %}{% endfor %}</table>{% endcall %}"""
TEMPLATE = jinja2.Environment(autoescape=True).from_string(LIST)


def rendered(rows: Mapping[str, str]) -> tuple[str, Rendering]:
    live = Regions()
    html = TEMPLATE.render(live=live, rows=rows)
    return html, Rendering(html.encode(), "", "t", live.found, version_of("t", live.found))


def test_rows_stand_in_their_region() -> None:
    html, rendering = rendered({"a": "1", "b": "<2>"})
    assert html == (
        '<div id="list" data-live><table><tr data-row="a">1</tr><tr data-row="b">&lt;2&gt;</tr></table></div>'
    )
    assert rendering.regions["list"].frame == "<table></table>"


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        ({"a": "1"}, {"a": "1"}, {}),
        ({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, {"order": ["a", "b"], "rows": {"b": '<tr data-row="b">3</tr>'}}),
        ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"order": ["b", "a"], "rows": {}}),
        ({"a": "1", "b": "2"}, {"b": "2"}, {"order": ["b"], "rows": {}}),
        ({"a": "1"}, {}, {"html": "<table></table>"}),
        ({}, {"a": "1"}, {"order": ["a"], "rows": {"a": '<tr data-row="a">1</tr>'}}),
    ],
)
def test_what_differs_is_sent(before: dict[str, str], after: dict[str, str], sent: dict[str, Any]) -> None:
    changed = difference(rendered(before)[1], rendered(after)[1])
    assert changed == ({"list": sent} if sent else {})


def test_a_browser_with_an_unknown_version_gets_everything() -> None:
    _, new = rendered({"a": "1"})
    assert difference(None, new) == {"list": {"html": new.regions["list"].html}}


def test_relative_times_are_no_difference() -> None:
    one = '<time datetime="2026-01-01T00:00:00Z">now</time>'
    assert without_times(one) == without_times(one.replace("now", "1 min ago"))
    assert without_times(one) != without_times(one.replace("2026", "2027"))


def applied(shown: Mapping[str, str], changed: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows that a browser shows after a change, as live.js applies it."""
    if not changed:
        return dict(shown)
    region = changed["list"]
    if "html" in region:
        return {re.search('data-row="(.*?)"', row)[1]: row for row in re.findall("<tr.*?</tr>", region["html"])}  # type: ignore[index]
    rows = {**shown, **region["rows"]}
    return {name: rows[name] for name in region["order"]}


ROWS = st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from("12"), max_size=7)


@given(st.lists(ROWS, min_size=2, max_size=6))
def test_after_all_changes_a_browser_shows_the_page(states: list[dict[str, str]]) -> None:
    renderings = [rendered(rows)[1] for rows in states]
    shown = dict(renderings[0].regions["list"].rows)
    for old, new in pairwise(renderings):
        shown = applied(shown, difference(old, new))
    assert list(shown.items()) == list(renderings[-1].regions["list"].rows.items())


@given(ROWS, ROWS)
def test_versions_are_equal_for_equal_rows_only(one: dict[str, str], other: dict[str, str]) -> None:
    same = list(one.items()) == list(other.items())
    assert (rendered(one)[1].version == rendered(other)[1].version) is same


def test_a_region_whose_frame_changes_is_sent_whole() -> None:
    old = Rendering(b"", "", "t", {"list": Region("<p>1</p>", {"a": "x"}, "<p>1</p>x")}, "1")
    new = Rendering(b"", "", "t", {"list": Region("<p>2</p>", {"a": "x"}, "<p>2</p>x")}, "2")
    assert difference(old, new) == {"list": {"html": "<p>2</p>x"}}
