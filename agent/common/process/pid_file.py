"""The file that holds a program's process ID while it runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def pid_file(path: str) -> Iterator[None]:
    """Keep the file while the block runs; an empty path means none. Raises OSError when it cannot be written.

    Only its owner may write it, whatever the umask: its content decides which process gets signals.
    """
    if not path:
        yield
        return
    with open(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644), "w", encoding="ascii"
    ) as file:
        file.write(f"{os.getpid()}\n")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
