"""The options of log files: `-log-file` and `-log-rotate-…`. `process.logs` opens the files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pyconsul.agent.common.go.durations import DAY_S
from pyconsul.agent.common.options import Option
from pyconsul.agent.common.structs import struct
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import DURATION, INT, TEXT, Settings

LOG_FILE_PATH = Option(
    "log_file.path",
    TEXT,
    "Also log to files named path-<time>.log; a path that ends in / is their folder",
    "",
    flags=("log-file",),
)
LOG_FILE_LOG_ROTATE_BYTES = Option(
    "log_file.log_rotate_bytes",
    INT,
    "Size in bytes after which a new log file begins; 0 is unlimited",
    0,
    flags=("log-rotate-bytes",),
)
LOG_FILE_LOG_ROTATE_DURATION = Option(
    "log_file.log_rotate_duration",
    DURATION,
    "Age after which a new log file begins",
    DAY_S,
    flags=("log-rotate-duration",),
)
LOG_FILE_LOG_ROTATE_MAX_FILES = Option(
    "log_file.log_rotate_max_files",
    INT,
    "Number of old log files to keep; 0: all, -1: none",
    0,
    flags=("log-rotate-max-files",),
)
LOG_FILE_OPTIONS: tuple[Option[Any], ...] = (
    LOG_FILE_PATH,
    LOG_FILE_LOG_ROTATE_BYTES,
    LOG_FILE_LOG_ROTATE_DURATION,
    LOG_FILE_LOG_ROTATE_MAX_FILES,
)


@struct(frozen=True)
class LogTarget:
    """`max_bytes`: 0 for any size. `max_age`: seconds; 0 for a day. `keep`: old files: 0 for all, -1 for none.

    `name`: of files in a folder.
    """

    path: str
    max_bytes: int = 0
    max_age: float = DAY_S
    keep: int = 0
    name: str = "consul-template"

    @property
    def parts(self) -> tuple[Path, str, str]:
        """The folder, the beginning of the name and the extension of the files."""
        folder, name = os.path.split(self.path)
        stem, extension = os.path.splitext(name or self.name)
        return Path(folder), stem, extension or ".log"


def log_target_of(settings: Settings, name: str) -> LogTarget | None:
    """Return the log files of the settings; None for none. Raises ConfigError."""
    path = settings[LOG_FILE_PATH]
    if not path:
        return None
    max_bytes, max_age = settings[LOG_FILE_LOG_ROTATE_BYTES], settings[LOG_FILE_LOG_ROTATE_DURATION]
    if max_bytes < 0:
        raise ConfigError("invalid log_rotate_bytes: it must not be negative")
    return LogTarget(path, max_bytes, max_age or DAY_S, settings[LOG_FILE_LOG_ROTATE_MAX_FILES], name)
