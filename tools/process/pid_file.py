"""The file that holds a tool's process ID while it runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pyconsul.agent.common.reasons import reason
from pyconsul.tools.options.hcl_file import ConfigError


@contextlib.contextmanager
def pid_file(path: str) -> Iterator[None]:
    """Keep the file for as long as the block runs; no path, no file.  Raises ConfigError when it cannot be written."""
    if not path:
        yield
        return
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
    except OSError as error:
        raise ConfigError(f"cannot write the PID file {path}: {reason(error)}") from error
    try:
        yield
    finally:
        Path(path).unlink(missing_ok=True)
