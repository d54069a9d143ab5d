"""Replace files atomically: readers see the old content or the new one, even after a crash.

    write_file(path, data)                       # the whole of it, for its owner alone

    draft = DraftFile(folder, "haproxy.cfg")     # .haproxy.cfg.k3x_9a0b.pyconsul-draft
    draft.fill([data])
    draft.replace(target)
    draft.discard()

A draft is locked (flock) until it is discarded. An unlocked one is stale: its program was killed. The first draft in a
folder removes the stale ones there.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from pyconsul.agent.common.lazy_log import LazyLog

#: Nobody else's hidden files have such a name.
_SUFFIX = ".pyconsul-draft"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = fcntl.LOCK_EX | fcntl.LOCK_NB


def write_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file that only its owner can read, and sync it to the disk. Raises OSError."""
    target = Path(path)
    draft = DraftFile(target.parent, target.name)
    try:
        draft.fill([data])
        draft.replace(target)
    finally:
        draft.discard()


class DraftFile:
    """A new hidden file beside the one that it is going to replace.

    `path`: its name. It is readable by its owner alone, until `fill` says otherwise.
    """

    def __init__(self, folder: Path, name: str, prefix: str = "") -> None:
        """Create the file. With a prefix, which a number follows, it is not hidden, and not removed when stale.

        Raises OSError.
        """
        _remove_stale_drafts(folder)
        lock = None
        while lock is None:
            number = os.urandom(4)
            hidden = f".{name}.{number.hex()}{_SUFFIX}"
            self.path = folder / (f"{prefix}{int.from_bytes(number)}" if prefix else hidden)
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

    def fill(self, pieces: Iterable[bytes], dress: Callable[[int], None] | None = None) -> None:
        """Write the pieces and sync them to the disk. `dress` gives the open file its owner and permissions.

        Raises OSError, and what `pieces` and `dress` raise.
        """
        with self._file as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            if dress is not None:
                dress(file.fileno())
            os.fsync(file.fileno())

    def replace(self, target: Path) -> None:
        """Give the file its name, in the place of the old one, and sync the folder. Raises OSError."""
        os.replace(self.path, target)
        sync_folder(target.parent)

    def discard(self) -> None:
        """Remove the file, unless it has replaced another one. May be called again."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._file.close()
        self._lock.close()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _locked(path: Path) -> contextlib.ExitStack | None:
    """Lock a new file; None when another program has just removed it as a stale one. Raises OSError.

    The lock's file is open for reading alone: a program that is open for writing could not be executed by a check.
    """
    with contextlib.ExitStack() as opened, contextlib.suppress(FileNotFoundError, BlockingIOError):
        file = opened.enter_context(open(path, "rb"))
        try:
            fcntl.flock(file, _LOCK)
        except BlockingIOError:
            raise
        except OSError:
            pass  # This file system has no locks, so nobody removes drafts there.
        if path.exists():
            return opened.pop_all()
    return None


@functools.cache
def _remove_stale_drafts(folder: Path) -> None:
    """Remove those of all files in the folder; once in a run."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(_SUFFIX) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):  # in use, or owned by another user
                    _remove_stale_draft(Path(entry.path))


def _remove_stale_draft(path: Path) -> None:
    """Raises OSError when the file has to stay."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, _LOCK)
        # It may just have replaced another file, or have been removed.
        if os.path.samestat(os.fstat(handle), path.lstat()):
            path.unlink()
            LazyLog("template").info("%s has been removed: a run that was killed has left it", path)
    finally:
        os.close(handle)
