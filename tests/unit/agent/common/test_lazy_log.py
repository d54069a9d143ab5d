"""Loggers that load `logging` late: what they drop, and when they configure it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyconsul.agent.common.lazy_log import INFO, WARNING, LazyLog, configure_logging, defer_logging

log = LazyLog("lazy")


@pytest.fixture(autouse=True)
def nothing_deferred() -> Iterator[None]:
    yield
    configure_logging()


def test_without_a_deferred_configuration_all_messages_go_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(INFO)
    log.debug("no")
    log.info("written: file=%s", "a")
    assert [(record.name, record.getMessage()) for record in caplog.records] == [("lazy", "written: file=a")]


def test_the_first_message_that_is_shown_configures_logging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(INFO)
    calls: list[str] = []
    defer_logging(WARNING, lambda: calls.append("configured"))
    log.info("dropped")
    assert (calls, caplog.text) == ([], "")
    log.error("failed: %d", 1)
    log.warning("again")
    assert calls == ["configured"]
    assert [record.getMessage() for record in caplog.records] == ["failed: 1", "again"]


def test_a_run_that_needs_logging_anyway_configures_it_once() -> None:
    calls: list[str] = []
    defer_logging(WARNING, lambda: calls.append("configured"))
    configure_logging()
    configure_logging()
    assert calls == ["configured"]
