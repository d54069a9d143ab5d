"""Tables, JSON and YAML; what depends on a terminal is tested with one, beside the real agent."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.cli.context import Context
from pyconsul.cli.flag import parse
from pyconsul.cli.render import columns, document, format_flag, table


def context(*words: str) -> tuple[Context, io.BytesIO]:
    out = io.BytesIO()
    return Context(parse([format_flag()], words), {}, io.BytesIO(), out, io.BytesIO()), out


def test_columns_are_two_blanks_apart_and_end_without_any() -> None:
    rows = [["Node", "ID", "Address"], ["a-long-name", "", "1.2.3.4"], ["b", "x", ""]]
    assert columns(rows) == ["Node         ID  Address", "a-long-name      1.2.3.4", "b            x"]
    assert columns([["a", "b"]], gap=6) == ["a      b"]
    assert columns([]) == []


@given(st.lists(st.lists(st.text("ab", max_size=4), min_size=1, max_size=4), max_size=4))
def test_any_rows_make_as_many_lines(rows: list[list[str]]) -> None:
    assert len(columns(rows)) == len(rows)


def test_a_table_in_a_pipe_has_nothing_but_columns() -> None:
    where, out = context()
    table(where, ["Node", "DC"], [["n1", "dc1"]])
    assert out.getvalue() == b"Node  DC\nn1    dc1\n"


@pytest.mark.parametrize(("wanted", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_documents(wanted: str, read: Any) -> None:
    where, out = context(f"-format={wanted}")
    data = {"z": [1, "ä"], "a": None}
    assert document(where, data)
    assert read(out.getvalue()) == data
    assert list(read(out.getvalue())) == ["z", "a"]


def test_a_table_is_left_to_the_caller() -> None:
    where, out = context()
    assert not document(where, {})
    assert out.getvalue() == b""
