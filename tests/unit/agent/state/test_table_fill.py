"""A table that is filled at once is the one that is filled row by row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.table import Table

ROWS = st.lists(st.tuples(st.text("abc", max_size=3), st.sampled_from(["x", "y", ""])), max_size=20)


@given(ROWS, st.booleans())
def test_filled_at_once_or_one_by_one(rows: list[tuple[str, str]], ordered: bool) -> None:
    schema = Schema(
        "t", tuple[str, str], lambda row: row[0], {"kind": lambda row: (row[1],) if row[1] else ()}, ordered
    )
    one_by_one, at_once = Table(schema), Table(schema)
    for row in rows:
        one_by_one.put(row)
    at_once.fill(rows)
    assert sorted(at_once) == sorted(one_by_one)
    for kind in ("x", "y"):
        assert sorted(at_once.by("kind", kind)) == sorted(one_by_one.by("kind", kind))
    if ordered:
        assert list(at_once.prefix("a")) == list(one_by_one.prefix("a"))
    for key, _ in rows:
        at_once.remove(key)
    assert len(at_once) == 0
    assert not list(at_once.values_of("kind"))
