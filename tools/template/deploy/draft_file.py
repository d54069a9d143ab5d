"""A new hidden file beside the one whose place it is to take; those that runs before have left there are removed.

    file = HiddenFile(folder, "haproxy.cfg")     # .haproxy.cfg.k3x_9a0b.pyconsul-draft
    file.fill(data)
    os.replace(file.path, target)
    file.discard()

It is locked (flock) until it is discarded: one that can be locked is nobody's any more, since whoever made it was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import logging
import os
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("template")

#: Nobody else's hidden files have such a name.
_SUFFIX = ".pyconsul-draft"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = fcntl.LOCK_EX | fcntl.LOCK_NB


class HiddenFile:
    """Readable by its owner alone, until `fill` says otherwise."""

    def __init__(self, folder: Path, name: str) -> None:
        """Makes it. Raises OSError."""
        _remove_leftovers(folder)
        lock = None
        while lock is None:
            self.path = folder / f".{name}.{os.urandom(4).hex()}{_SUFFIX}"
            try:
                self._file = os.fdopen(os.open(self.path, _NEW, 0o600), "wb")
            except FileExistsError:
                continue
            try:
                lock = _locked(self.path)
            except OSError:
                self.path.unlink(missing_ok=True)
                raise
            finally:
                if lock is None:
                    self._file.close()
        self._lock = lock

    def fill(self, data: bytes, dress: Callable[[int], None] | None = None) -> None:
        """Write the bytes to the disk; `dress` gives the open file its owner and permissions. Raises OSError, and what
        `dress` does."""
        with self._file as file:
            file.write(data)
            file.flush()
            if dress is not None:
                dress(file.fileno())
            os.fsync(file.fileno())

    def discard(self) -> None:
        """Remove it, unless it has taken another file's place. May be called again."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._file.close()
        self._lock.close()


def _locked(path: Path) -> contextlib.ExitStack | None:
    """What keeps a new file locked until it is closed; None when another program has just taken it for a leftover.

    Raises OSError. The file is open for reading alone: while it is open for writing, a check could not run it.
    """
    with contextlib.ExitStack() as opened, contextlib.suppress(FileNotFoundError, BlockingIOError):
        file = opened.enter_context(open(path, "rb"))
        try:
            fcntl.flock(file, _LOCK)
        except BlockingIOError:
            raise
        except OSError as error:
            # Where files cannot be locked, nobody takes one for a leftover.
            log.debug("%s cannot be locked: %s", path, error)
        if path.exists():
            return opened.pop_all()
    return None


@functools.cache
def _remove_leftovers(folder: Path) -> None:
    """Those of all files in the folder; once in a run."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(_SUFFIX) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):  # Somebody works on it, or it is not ours to remove.
                    _remove_leftover(Path(entry.path))


def _remove_leftover(path: Path) -> None:
    """Raises OSError when it has to stay."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, _LOCK)
        # Just before, it may have taken its place, or have been removed.
        if os.path.samestat(os.fstat(handle), path.lstat()):
            path.unlink()
            log.info("%s has been removed: a run that was killed has left it", path)
    finally:
        os.close(handle)
