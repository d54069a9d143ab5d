"""Waiting for what must happen, without saying how soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: Seconds until something that must happen counts as not happening.
PATIENCE = 30.0


def eventually(condition: Callable[[], Any], what: str = "it did not happen", *, patience: float = PATIENCE) -> None:
    """Return as soon as the condition holds; fail when it does not for far too long (`patience`, in seconds)."""
    latest = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < latest, what
        time.sleep(0.02)
