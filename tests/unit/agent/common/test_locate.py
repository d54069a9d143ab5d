"""The location of a setting in a text of HCL or JSON, with an excerpt that shows no secrets."""

from __future__ import annotations

import json

import pytest

from pyconsul.agent.common.files.excerpt import MAX_EXCERPT
from pyconsul.agent.common.files.locate import locate

BLOCKS = """\
template {
  perms = "0644"
  exec { command = "a" }
}
template "x" {
  perms = "many"
  exec {
    command = "b"
  }
}
"""


@pytest.mark.parametrize(
    ("key", "line", "column"),
    [
        ("template[0].perms", 2, 3),
        ("template[1].perms", 6, 3),
        ("template[0].exec[0].command", 3, 10),
        ("template[1].exec[0].command", 8, 5),
    ],
)
def test_repeated_blocks_are_told_apart_by_their_number(key: str, line: int, column: int) -> None:
    location = locate(BLOCKS, key)
    assert location is not None
    assert (location.line, location.column) == (line, column)


@pytest.mark.parametrize("key", ["template.perms", "template", "template[2].perms", "perms"])
def test_an_ambiguous_key_has_no_location(key: str) -> None:
    assert locate(BLOCKS, key) is None


def test_an_object_and_a_block_of_one_name_are_ambiguous() -> None:
    assert locate("ports { dns = 1 }\nports = { dns = 2 }\n", "ports.dns") is None


@pytest.mark.parametrize("mark", ["END", "END-1", "END.x"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_text_in_a_heredoc_is_no_setting(mark: str, line_break: str) -> None:
    lines = [f"contents = <<-{mark}", "last = 1", f"  {mark}s", f"  {mark}", "last = 2", ""]
    location = locate(line_break.join(lines), "last")
    assert location is not None
    assert location.line == 5


def test_an_empty_heredoc_ends_at_its_mark() -> None:
    location = locate("contents = <<END\nEND\nlast = 2\n", "last")
    assert location is not None
    assert location.line == 3


def test_the_excerpt_of_a_long_line_begins_at_the_setting() -> None:
    text = json.dumps({"filler": "x" * MAX_EXCERPT, "secret": "hunter2", "grace": 5, "password": 1234})
    location = locate(text, "grace")
    assert location is not None
    assert text[location.column - 1 :].startswith('"grace"')
    assert location.excerpt == '…"grace": 5, "password": …}'
