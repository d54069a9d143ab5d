"""The file that holds a tool's process ID while it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pyconsul.agent.common.process import pid_file as common
from pyconsul.agent.common.reasons import reason
from pyconsul.tools.options.hcl_file import ConfigError


@contextlib.contextmanager
def pid_file(path: str) -> Iterator[None]:
    """Keep the file while the block runs; an empty path means none. Raises ConfigError when it cannot be written."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(common.pid_file(path))
        except OSError as error:
            raise ConfigError(f"cannot write the PID file {path}: {reason(error)}") from error
        yield
