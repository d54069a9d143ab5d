"""The file that tells the agent's process number, for those who signal it; an empty path is no file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_pid(path: str) -> None:
    """Raises OSError."""
    if path:
        Path(path).write_text(f"{os.getpid()}\n")


def remove_pid(path: str) -> None:
    """A file that is gone already is no error."""
    if path:
        with suppress(OSError):
            os.unlink(path)
