"""The last lines of the log."""

from __future__ import annotations

import logging

import pytest

from pyconsul.agent.logs.agent_log import MAX_RECENT, RECENT_CHARACTERS, LineFormatter, RecentLines


def record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("agent", level, "", 0, text, (), None)


def test_the_last_lines_of_a_level_are_kept() -> None:
    recent = RecentLines()
    for number in range(MAX_RECENT + 10):
        recent.handle(record(f"line {number}", logging.WARNING if number % 100 == 0 else logging.INFO))
    lines = recent.lines("info", 5)
    assert [line.rpartition(" ")[2] for line in lines] == ["1005", "1006", "1007", "1008", "1009"]
    assert [line.rpartition(" ")[2] for line in recent.lines("warn", 3)] == ["800", "900", "1000"]
    assert len(recent.lines("trace", 10_000)) == MAX_RECENT


def test_long_lines_are_cut_and_tokens_hidden() -> None:
    recent = RecentLines()
    recent.handle(record("x" * 10_000))
    recent.handle(record("GET /v1/kv/a?token=very-secret"))
    long, secret = recent.lines("info", 2)
    assert len(long) == RECENT_CHARACTERS
    assert "very-secret" not in secret


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown log level"):
        RecentLines().lines("loud", 1)


def test_a_line_is_made_once_for_all_handlers() -> None:
    one = record("once")
    assert LineFormatter().format(one) is LineFormatter().format(one)
