"""Options of the whole suite: which tests run without being asked for."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Programs that the tests start inherit ignored signals, and a shell cannot trap those (the suite may run under nohup).
signal.signal(signal.SIGHUP, signal.SIG_DFL)

settings.register_profile("shared", deadline=None)  # how long an example takes depends on the machine
settings.load_profile("shared")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run tests marked `slow`, too")
    parser.addoption(
        "--pending", action="store_true", help="replay the recordings listed in conformance/pending.txt, too"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="slow; runs with --slow")
    against = os.environ.get("PYCONSUL_AGAINST", "")
    for item in items:
        for mark in item.iter_markers("single_server"):
            if against and mark.kwargs.get("mode", against) == against:
                item.add_marker(pytest.mark.skip(reason=f"for a single server only: {mark.args[0]}"))
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(3600) if config.getoption("--slow") else skip)


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """The root logger as it was, after a test that has set up logging."""
    root = logging.getLogger()
    handlers, levels = list(root.handlers), [(part, part.level) for part in (root, *root.handlers)]
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    for part, level in levels:
        part.setLevel(level)


@pytest.fixture
def no_collections() -> Iterator[None]:
    """No collection of the test process's own garbage, which can take longer than what a test measures."""
    gc.disable()
    yield
    gc.enable()
