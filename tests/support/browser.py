"""A real browser, Debian's Chromium, for tests of the web interface."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

PROGRAM = shutil.which("chromium")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SERIOUS = ("serious", "critical")
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Window:
    """A browser session with its cookies.  errors: what scripts and the console have reported."""

    context: BrowserContext
    errors: list[str] = field(default_factory=list)

    def open(self, address: str) -> Page:
        """Open a page in a new tab."""
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self._note(message.type, message.text))
        page.goto(address)
        return page

    def _note(self, kind: str, text: str) -> None:
        # A refused form or a missing page is an answer, not an error of a script.
        if kind == "error" and not text.startswith("Failed to load resource"):
            self.errors.append(text)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser."""
    if PROGRAM is None:
        pytest.skip("Chromium is not installed (Debian: chromium)")
    with sync_playwright() as playwright:
        # Without a sandbox: it cannot be had as root in a container.
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def window(browser: Browser, *, dark: bool = False, phone: bool = False, scripts: bool = True) -> Iterator[Window]:
    """Open a separate session; fails if a script has failed."""
    settings: dict[str, Any] = {
        "color_scheme": "dark" if dark else "light",
        "viewport": PHONE if phone else DESKTOP,
        "java_script_enabled": scripts,
    }
    opened = Window(browser.new_context(**settings))
    yield opened
    opened.context.close()
    assert opened.errors == []


def barriers(page: Page) -> list[str]:
    """Return what axe-core finds serious or worse: the rule and the first element of each."""
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found if rule["impact"] in SERIOUS]


def overflow(page: Page) -> list[str]:
    """Return the elements that reach beyond the right edge of the window."""
    script = """() => [...document.querySelectorAll("body *")]
        .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest("pre, .unseen, .skip"))
        .filter((one) => getComputedStyle(one).visibility !== "hidden")
        .map((one) => one.outerHTML.slice(0, 150))"""
    found: list[str] = page.evaluate(script)
    return found
