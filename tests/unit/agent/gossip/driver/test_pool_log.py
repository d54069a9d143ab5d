"""The log of a pool: limited, counted, and safe against names that peers choose."""

from __future__ import annotations

import logging

import pytest
from support.eventually import eventually_async

from pyconsul.agent.gossip.driver.pool_log import MAX_LINE, PoolLog, plain


async def test_repeated_lines_are_suppressed_and_their_number_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    time = [0.0]
    log = PoolLog("wan", lambda: time[0])
    log.line("packet", "ignored a packet: source=10.0.0.3:8302", burst=1)
    time[0] = 29.95
    for _ in range(4):
        log.line("packet", "ignored a packet: source=10.0.0.3:8302", burst=1)
    time[0] = 30.0
    await eventually_async(lambda: len(caplog.records) == 2)
    assert [record.getMessage() for record in caplog.records] == [
        "ignored a packet: pool=wan source=10.0.0.3:8302",
        "suppressed repeated log lines: pool=wan category='packet' count=4 in=30s",
    ]
    assert log.counts == {"packet": 5}
    log.close()


def test_lines_below_the_level_of_the_log_count_as_nothing(caplog: pytest.LogCaptureFixture) -> None:
    log = PoolLog("lan", lambda: 0.0)
    with caplog.at_level(logging.WARNING, logger="agent.gossip"):
        for _ in range(10):
            log.line("reconnect", "reconnect failed: member=web1", logging.DEBUG, burst=1)
    assert caplog.records == []
    assert log.counts == {}


def test_an_unexpected_error_has_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    log = PoolLog("lan", lambda: 0.0)
    log.failure("a task of gossip failed", RuntimeError("defect"))
    [record] = caplog.records
    assert (record.getMessage(), record.levelno) == (
        "a task of gossip failed: pool=lan error=RuntimeError('defect')",
        logging.ERROR,
    )
    assert record.exc_info


def test_names_cannot_forge_lines(caplog: pytest.LogCaptureFixture) -> None:
    PoolLog("lan", lambda: 0.0).line("UDP blocked", "no UDP: member=a\nforged\x1b[31m")
    assert caplog.records[0].getMessage() == r"no UDP: pool=lan member=a\nforged\x1b[31m"
    assert plain("web-1.example") == "web-1.example"
    assert plain("café") == "café"
    assert plain("a\n2026 [ERROR]") == r"'a\n2026 [ERROR]'"
    assert plain("a member=b") == "'a member=b'"
    assert plain("") == "''"


def test_a_line_has_a_longest_length(caplog: pytest.LogCaptureFixture) -> None:
    PoolLog("lan", lambda: 0.0).line("refused", f"ignored member: name={'x' * 60_000}")
    assert len(caplog.records[0].getMessage()) <= MAX_LINE + len("pool=lan ")
