"""Follow the text of a file that a template reads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from pyconsul.tools.consul.client import ConsulError


async def follow_file(path: str, interval_s: float, put: Callable[[str], None]) -> None:
    """Pass on the text at once, and whenever the file has been written; checks every `interval_s` seconds.

    A file that cannot be read any more keeps its last text. Raises ConsulError when the first read fails.
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
            before = ()  # its last text stays in use until it can be read again
        await asyncio.sleep(interval_s)


def _stamp(path: str) -> tuple[int, ...]:
    """Return values that differ after a file has been written."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size, status.st_ino


def _text(path: str) -> str:
    return Path(path).read_bytes().decode("utf-8", "surrogateescape")
