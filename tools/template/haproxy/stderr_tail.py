"""HAProxy's stderr: passed on to our own; the last part is kept, since it has the reason of a failed reload.

HAProxy writes to a named pipe, so that a later run of the tool can read from an HAProxy that it has adopted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

_MAX_KEPT_BYTES = 16384  # bytes
_MAX_REASON = 1000  # characters of a reason
_CHUNK, _MAX_CHUNKS = 65536, 16  # bytes at a time; reads before other tasks may run
_ALERT = re.compile(r"^\[ALERT\]\s+\(\d+\) : (.*)$", re.MULTILINE)


class StderrTail:
    """One pipe for all HAProxy processes; `sink` is the end that they write to. Needs a running loop.

    `conceal`: takes secrets out of what is passed on, since HAProxy quotes the files that it refuses.
    """

    def __init__(self, path: Path, conceal: Callable[[str], str] = str) -> None:
        """Raises OSError."""
        self._conceal = conceal
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        self._source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        # Without a reader HAProxy's writes fail at once: it never waits for a tool that has ended.
        self.sink = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
        self._recent = b""
        asyncio.get_running_loop().add_reader(self._source, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(_MAX_CHUNKS):
                chunk = os.read(self._source, _CHUNK)
                self._recent = (self._recent + chunk)[-_MAX_KEPT_BYTES:]
                if not chunk:
                    return
                with contextlib.suppress(OSError, ValueError):  # our stderr is closed
                    sys.stderr.buffer.write(
                        self._conceal(chunk.decode(errors="surrogateescape")).encode(errors="surrogateescape")
                    )
                    sys.stderr.buffer.flush()

    def forget(self) -> None:
        """Drop the lines so far."""
        self._read()
        self._recent = b""

    def reason(self) -> str:
        """Return the alerts since `forget`, or else all lines; "" without any."""
        self._read()
        text = self._recent.decode(errors="replace")
        lines = _ALERT.findall(text) or [line for line in text.splitlines() if line.strip()]
        return "; ".join(dict.fromkeys(line.strip() for line in lines))[-_MAX_REASON:]

    def close(self) -> None:
        """Pass on what is left."""
        self._read()
        asyncio.get_running_loop().remove_reader(self._source)
        os.close(self._source)
        os.close(self.sink)
