"""Log files that are rotated by size and age, as Consul's `-log-rotate-…` flags describe."""

from __future__ import annotations

import logging
import os
import re
import time
from io import TextIOWrapper
from logging.handlers import BaseRotatingHandler
from pathlib import Path

from pyconsul.agent.common.go.durations import DAY_S


class LogFile(BaseRotatingHandler):
    """Appends log lines to a file; rotated files are named `<stem>-<nanoseconds since 1970><suffix>`.

    `timestamped`: the current file has such a name, too (consul-template), instead of `<stem><suffix>` (Consul).
    `max_bytes`: 0 for any size. `max_age_s`: 0 for any age. `keep`: number of old files: 0 for all, -1 for none.
    `mode`: permissions of new files, before the umask. Raises OSError when the file cannot be opened.
    """

    def __init__(
        self,
        folder: Path,
        stem: str,
        suffix: str,
        *,
        timestamped: bool = False,
        max_bytes: int = 0,
        max_age_s: float = DAY_S,
        keep: int = 0,
        mode: int = 0o666,
    ) -> None:
        self._folder, self._stem, self._suffix = folder, stem, suffix
        self._timestamped = timestamped
        self._max_bytes, self._max_age_s, self._keep = max_bytes, max_age_s, keep
        self._permissions = mode
        self._since = time.time()
        folder.mkdir(parents=True, exist_ok=True)
        self._prune()
        current = self._rotated_name() if timestamped else folder / f"{stem}{suffix}"
        super().__init__(current, "a", encoding="utf-8", errors="backslashreplace")

    def _rotated_name(self) -> Path:
        return self._folder / f"{self._stem}-{time.time_ns()}{self._suffix}"

    def _open(self) -> TextIOWrapper:
        def opener(path: str, flags: int) -> int:
            return os.open(path, flags, self._permissions)

        return open(self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=opener)  # type: ignore[return-value]

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - the library's name
        """Return whether this record belongs in a new file."""
        if 0 < self._max_age_s <= record.created - self._since:
            return True
        size = os.fstat(self.stream.fileno()).st_size if self.stream else 0
        return 0 < self._max_bytes <= size

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        """Begin a new file and remove the oldest ones. When there can be no new file, the old one stays in use."""
        old, before = self.stream, self.baseFilename
        try:
            if self._timestamped:
                self.baseFilename = os.path.abspath(self._rotated_name())
            else:
                os.replace(self.baseFilename, self._rotated_name())
            self.stream = self._open()
        except OSError:
            self.baseFilename = before
            return
        if old:
            old.close()
        self._since = time.time()
        self._prune(self.baseFilename)

    def _prune(self, current: str = "") -> None:
        if self._keep == 0:
            return
        pattern = re.compile(re.escape(self._stem) + r"-\d+" + re.escape(self._suffix))
        name = os.path.basename(current)
        found = [path for path in self._folder.glob("*") if pattern.fullmatch(path.name) and path.name != name]
        found.sort(key=lambda path: (len(path.name), path.name))
        for path in found[: max(0, len(found) - max(0, self._keep))]:
            path.unlink(missing_ok=True)
