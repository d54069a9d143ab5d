"""Tables, JSON and YAML; what depends on a terminal is tested with one, beside the real agent."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.panel import Panel

from pyconsul.agent.common.options import parse
from pyconsul.cli.context import Context
from pyconsul.cli.monitor import health_table
from pyconsul.cli.monitor.service_top import Board, Health
from pyconsul.cli.output.render import cell_width, colored, columns, document, format_flag, table
from pyconsul.cli.output.terminal import console
from pyconsul.cli.output.utf8_locale import draws_utf8
from pyconsul.cli.watch.text import decoded


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


def test_columns_of_wide_characters_are_aligned() -> None:
    assert columns([["世界", "a"], ["e\N{COMBINING ACUTE ACCENT}tat", "b"]]) == [
        "世界  a",
        "e\N{COMBINING ACUTE ACCENT}tat  b",
    ]
    assert cell_width("wide-世界") == 9


@pytest.mark.parametrize(
    ("environ", "draws"),
    [
        ({}, False),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, False),
        ({"LC_CTYPE": "C.UTF-8"}, False),  # Python's own doing
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, False),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "en_US.UTF-8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
    ],
)
def test_lines_are_drawn_where_the_locale_has_them(environ: dict[str, str], draws: bool) -> None:
    assert draws_utf8(environ) is draws


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_table_on_a_narrow_terminal_breaks_no_id(locale: str) -> None:
    identity = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
    where = Context(parse([], []), {"LC_ALL": locale, "COLUMNS": "40"}, io.BytesIO(), Terminal(), io.BytesIO())
    table(where, ["Node", "ID", "Addresses"], [["n1", identity, "lan=192.168.100.100, wan=192.168.100.101"]] * 2)
    shown = where.stdout.getvalue().decode()  # type: ignore[attr-defined]
    for word in (identity, "lan=192.168.100.100,", "wan=192.168.100.101"):
        assert shown.count(word) == 2
    assert ("─" in shown) is (locale == "C.UTF-8")


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_health_and_services_on_a_narrow_terminal_break_no_name(locale: str) -> None:
    name = "payments-api-gateway-7f9c6d5b4-x2x7k"
    check = {
        "Status": "critical",
        "ServiceName": name,
        "Node": name,
        "Name": "c",
        "CheckID": "c",
        "Output": "out of it",
    }
    where = Context(parse([], []), {"LC_ALL": locale, "COLUMNS": "40"}, io.BytesIO(), Terminal(), io.BytesIO())
    table, needed = health_table.screen(where.environ, [check])
    board = Board(0.0)
    board.update({name: Health(critical=1)}, 0.0)
    with console(where) as screen:
        screen.width = max(screen.width, needed)
        screen.print(table)
        screen.width = 50
        screen.print(board.screen(where.environ, 1.0, 20))
    shown = where.stdout.getvalue().decode()  # type: ignore[attr-defined]
    assert shown.count(name) == 3
    assert ("─" in shown) is (locale == "C.UTF-8")


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_frames_are_drawn_in_ascii_where_the_locale_has_no_more(locale: str) -> None:
    where = Context(parse([], []), {"LC_ALL": locale}, io.BytesIO(), Terminal(), io.BytesIO())
    with console(where) as screen:
        screen.print(Panel("wide-世界", title="frame"))
    shown = where.stdout.getvalue().decode()  # type: ignore[attr-defined]
    assert ("─" in shown) is (locale == "C.UTF-8")
    assert "wide-世界" in shown


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "stream", "color"),
    [
        ({}, Terminal, True),
        ({"NO_COLOR": "1"}, Terminal, False),
        ({"TERM": "dumb"}, Terminal, False),
        ({}, io.BytesIO, False),
    ],
)
def test_differences_have_colors_on_terminals_only(
    environ: dict[str, str], stream: type[io.BytesIO], color: bool
) -> None:
    where = Context(parse([], []), environ, io.BytesIO(), stream(), io.BytesIO())
    assert (colored(where, [b"+ a"]) == [b"\x1b[32m+ a\x1b[0m"]) is color


def test_the_difference_of_a_watch_shows_values_as_text() -> None:
    entry = {"Key": "a", "LockIndex": 0, "Value": "b25lCnR3bw=="}
    assert decoded([entry])[0]["Value"] == "one\\ntwo"
    assert decoded({**entry, "Value": "/w=="})["Value"] == "/w=="
    assert decoded({"ID": "1", "LTime": 1, "Payload": "b25l"})["Payload"] == "one"
    assert decoded({"Value": "b25l"}) == {"Value": "b25l"}
