"""The browser that the tests of the web interface share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from support.browser import Window, chromium, window


# Not of the session: while the browser runs, its event loop does, and tests of coroutines could not run in this process.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def tab(browser: Browser) -> Iterator[Window]:
    """A session without cookies, on a desktop."""
    with window(browser) as opened:
        yield opened
