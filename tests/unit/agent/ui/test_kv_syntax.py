"""The syntax of values: the place of a mistake."""

from __future__ import annotations

import pytest

from pyconsul.agent.ui.pages.kv.syntax import format_of, verdict


@pytest.mark.parametrize(
    ("kind", "text", "line", "column"),
    [
        ("json", '{"a": 1,\n "b": tru}', 2, 7),
        ("json", "", 1, 1),
        ("yaml", "a: 1\nb: [1, 2\nc: 3\n", 3, 2),
        ("hcl", 'a = 1\nb = = "2"', 2, 5),
        ("hcl", "a {\n", 2, 1),
    ],
)
def test_a_mistake_has_a_line_and_a_column(kind: str, text: str, line: int, column: int) -> None:
    found = verdict(kind, text)
    assert not found.is_right
    assert (found.line, found.column) == (line, column)
    assert found.text.startswith(kind.upper())


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", '{"a": [1, null]}'),
        ("yaml", "a: {b: [1]}\n---\nc: d"),
        ("hcl", 'service "web" {\n port = 80\n}'),
        ("hcl", ""),
    ],
)
def test_right_text_has_no_mistake(kind: str, text: str) -> None:
    assert verdict(kind, text).is_right


def test_deep_and_growing_texts_do_no_harm() -> None:
    assert not verdict("json", "[" * 100_000).is_right
    assert not verdict("yaml", "[" * 20_000).is_right
    assert verdict("yaml", "a: &a [x]\n" + "\n".join(f"k{n}: &k{n} [*a, *a]" for n in range(20))).is_right


@pytest.mark.parametrize(
    ("key", "wanted", "kind"),
    [
        ("app/config.json", "", "json"),
        ("a.YML", "", "yaml"),
        ("a.json", "hcl", "hcl"),
        ("a.json", "none", ""),
        ("json", "", ""),
        ("a.json/b", "", ""),
        ("a", "<script>", ""),
    ],
)
def test_the_format_is_chosen_or_told_by_the_name(key: str, wanted: str, kind: str) -> None:
    assert format_of(key, wanted) == kind
