"""A log file that is put aside when it is too large or too old, as `-log-file` and `-log-rotate-…` ask for."""

from __future__ import annotations

import logging
import os
import time
from logging.handlers import BaseRotatingHandler
from pathlib import Path

_DEFAULT_NAME = "consul"


class LogFile(BaseRotatingHandler):
    """`<name>.log`; an old one is renamed to `<name>-<nanoseconds>.log`.

    `max_bytes` 0 is any size, `max_age` is in seconds, `keep` the number of old files: 0 for all, -1 for none.
    """

    def __init__(self, path: str, max_bytes: int = 0, max_age: float = 86400.0, keep: int = 0) -> None:
        self._place = file_path(path)
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._max_bytes, self._max_age, self._keep = max_bytes, max_age, keep
        self._since = time.time()
        super().__init__(str(self._place), "a", encoding="utf-8")

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - the library's name
        """Whether this record belongs in a new file."""
        if self._max_age > 0 and time.time() - self._since >= self._max_age:
            return True
        return self._max_bytes > 0 and self._place.stat().st_size >= self._max_bytes

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        """Put the file aside, begin a new one, and remove the oldest of those put aside."""
        if self.stream is not None:
            self.stream.close()
        aside = self._place.with_name(f"{self._place.stem}-{time.time_ns()}{self._place.suffix}")
        os.replace(self._place, aside)
        for old in self._to_remove():
            old.unlink(missing_ok=True)
        self._since = time.time()
        self.stream = self._open()

    def _to_remove(self) -> list[Path]:
        if self._keep == 0:
            return []
        aside = sorted(self._place.parent.glob(f"{self._place.stem}-[0-9]*{self._place.suffix}"))
        return aside if self._keep < 0 else aside[: max(0, len(aside) - self._keep)]


def file_path(path: str) -> Path:
    """The file that `-log-file` means: in a folder it is `consul.log`; without an extension it gets `.log`."""
    place = Path(path)
    if path.endswith(os.sep) or place.is_dir():
        place = place / _DEFAULT_NAME
    return place if place.suffix else place.with_name(place.name + ".log")
