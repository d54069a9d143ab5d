"""What HAProxy writes to stderr: passed on to our own, and remembered for a moment, since it says why a reload failed.

It writes to a named pipe, so that a later run of the tool can go on reading what an HAProxy writes that it has adopted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

_REMEMBERED = 16384  # bytes
_LONGEST = 1000  # characters of a reason
_CHUNK, _MOST_CHUNKS = 65536, 16  # bytes at a time; so often before others have their turn
_ALERT = re.compile(r"^\[ALERT\]\s+\(\d+\) : (.*)$", re.MULTILINE)


class Words:
    """One pipe for all lives of HAProxy; `sink` is the end that it writes to. Needs a running loop.

    `conceal`: takes secrets out of what is passed on, since HAProxy quotes the files that it refuses.
    """

    def __init__(self, path: Path, conceal: Callable[[str], str] = str) -> None:
        """Raises OSError."""
        self._conceal = conceal
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        self._source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        # Without a reader HAProxy's writes fail, instead of waiting: nobody holds it up by having ended.
        self.sink = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
        self._recent = b""
        asyncio.get_running_loop().add_reader(self._source, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(_MOST_CHUNKS):
                chunk = os.read(self._source, _CHUNK)
                self._recent = (self._recent + chunk)[-_REMEMBERED:]
                if not chunk:
                    return
                with contextlib.suppress(OSError, ValueError):  # Nobody reads it any more.
                    sys.stderr.buffer.write(
                        self._conceal(chunk.decode(errors="surrogateescape")).encode(errors="surrogateescape")
                    )
                    sys.stderr.buffer.flush()

    def forget(self) -> None:
        """Drop the lines so far."""
        self._read()
        self._recent = b""

    def reason(self) -> str:
        """Return its alerts since then, or else all that it has said; "" if that is nothing."""
        self._read()
        text = self._recent.decode(errors="replace")
        lines = _ALERT.findall(text) or [line for line in text.splitlines() if line.strip()]
        return "; ".join(dict.fromkeys(line.strip() for line in lines))[-_LONGEST:]

    def close(self) -> None:
        """Pass on what is left."""
        self._read()
        asyncio.get_running_loop().remove_reader(self._source)
        os.close(self._source)
        os.close(self.sink)
