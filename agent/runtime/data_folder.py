"""The data folder: readable by its owner only, and used by one agent at a time."""

from __future__ import annotations

import fcntl
import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

LOCK = "agent.lock"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

log = logging.getLogger("agent")


class DataFolderError(Exception):
    """The folder cannot be used; the text says why and what to change."""


class Lock:
    """The lock on a data folder.  It ends with the process at the latest, however that ends."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if need be, and lock it.  Raises DataFolderError."""
        try:
            _make_private(folder)
            self._file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataFolderError(f"cannot use the data folder {folder}: {error.strerror or error}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise DataFolderError(
                f"the data folder {folder} is in use by another agent: pid={pid or 'unknown'}; "
                "stop that one, or choose another folder with -data-dir"
            ) from None
        except OSError as error:
            os.close(self._file)
            raise DataFolderError(f"cannot lock {folder / LOCK}: {error.strerror or error}") from error
        with suppress(OSError):  # a full disk
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let another agent have the folder."""
        os.close(self._file)


def _make_private(folder: Path) -> None:
    """Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = folder.stat().st_mode
    if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
        log.warning("%s was writable by others; removed that permission, since its files control this agent", folder)
        folder.chmod(stat.S_IMODE(mode) & ~_OTHERS_WRITE)
