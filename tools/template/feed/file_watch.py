"""Follows the text of a file that a template shows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from pyconsul.tools.consul.client import ConsulError


async def follow_file(path: str, pace: float, put: Callable[[str], None]) -> None:
    """Pass on the text at once, and whenever the file has been written; looks every `pace` seconds.

    What cannot be read any more keeps its last text. Raises ConsulError when it cannot be read at first.
    """
    before: tuple[int, ...] | None = None
    while True:
        try:
            now = _stamp(path)
            if now != before:
                put(_text(path))
                before = now
        except OSError as error:
            if before is None:
                raise ConsulError(f"cannot read file {path}: {error.strerror}") from error
            before = ()  # Its last text stays in force until it is back.
        await asyncio.sleep(pace)


def _stamp(path: str) -> tuple[int, ...]:
    """Return values that differ after a file has been written."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size, status.st_ino


def _text(path: str) -> str:
    return Path(path).read_bytes().decode("utf-8", "surrogateescape")
