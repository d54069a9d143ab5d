"""Log files that are rotated when they are too large or too old.

The names and the numbers are those of consul-template: each file is `<name>-<nanoseconds since 1970>.log`.
"""

from __future__ import annotations

import logging
import os
import re
import time
from io import TextIOWrapper
from logging.handlers import BaseRotatingHandler
from pathlib import Path

from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.log_file import DAY_S, LogTarget


class LogFile(BaseRotatingHandler):
    """Appends to a new file from now on. Raises ConfigError when it cannot be made."""

    def __init__(self, target: LogTarget) -> None:
        self.target = target
        self._since = time.time()
        self._keep_few()
        try:
            target.parts[0].mkdir(parents=True, exist_ok=True)
            super().__init__(self._new_name(), "a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise ConfigError(f"cannot log to {target.path}: {error.strerror}") from error

    def _new_name(self) -> str:
        folder, stem, extension = self.target.parts
        return str(folder / f"{stem}-{time.time_ns()}{extension}")

    def _open(self) -> TextIOWrapper:
        def opener(path: str, flags: int) -> int:
            return os.open(path, flags, 0o640)

        return open(self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=opener)  # type: ignore[return-value]

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - the library's name
        """Whether this record belongs in a new file."""
        if record.created - self._since >= (self.target.max_age or DAY_S):
            return True
        size = os.fstat(self.stream.fileno()).st_size if self.stream else 0
        return 0 < self.target.max_bytes <= size

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        """Begin a new file, and remove the oldest ones. The old file goes on for as long as there can be no new one."""
        old, before = self.stream, self.baseFilename
        self.baseFilename = os.path.abspath(self._new_name())
        try:
            self.stream = self._open()
        except OSError:
            self.baseFilename = before
            return
        if old:
            old.close()
        self._since = time.time()
        self._keep_few(self.baseFilename)

    def _keep_few(self, current: str = "") -> None:
        if self.target.keep == 0:
            return
        folder, stem, extension = self.target.parts
        pattern = re.compile(re.escape(stem) + r"-\d+" + re.escape(extension))
        found = [path for path in folder.glob("*") if pattern.fullmatch(path.name) and path.name != Path(current).name]
        found.sort(key=lambda path: (len(path.name), path.name))
        for path in found[: max(0, len(found) - max(0, self.target.keep))]:
            path.unlink(missing_ok=True)
