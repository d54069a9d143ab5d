"""The data folder: readable by its owner only, used by one agent at a time, and with the names that Consul's has.

node-id, acl-tokens.json     identity, tokens that were set over the API
services, checks             what was registered with this agent
serf                         the members that were known, and the gossip keys
raft                         the state of a server
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
from pathlib import Path

from pyconsul.agent.common.files.atomic_file import sync_folder

SERVER = "raft"  # the folder of a server's state
# Files of a server in the folders of earlier versions; `state.db` moves last, so that it marks a move that was interrupted.
_STATE = "state.db"
_MOVED = ("state.db-wal", "state.db-shm", "state.mark", "cluster", _STATE)
_OLD_LOCK = "agent.lock"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

log = logging.getLogger("agent")


class DataFolderError(Exception):
    """The folder cannot be used; the text says why and what to change."""


class Lock:
    """The lock on a data folder.  It ends with the process at the latest."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if need be, and lock it.  Raises DataFolderError."""
        try:
            _make_private(folder)
            self._file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise DataFolderError(f"cannot use the data folder {folder}: {error.strerror or error}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _owner(os.fstat(self._file).st_ino)
            os.close(self._file)
            raise DataFolderError(
                f"the data folder {folder} is in use by another agent: pid={pid or 'unknown'}; "
                "stop that one, or choose another folder with -data-dir"
            ) from None
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP):
                os.close(self._file)
                raise DataFolderError(f"cannot lock {folder}: {error.strerror or error}") from error
            log.warning("cannot lock %s on this file system: make sure that only one agent uses it", folder)
        (folder / _OLD_LOCK).unlink(missing_ok=True)

    def release(self) -> None:
        """Let another agent have the folder."""
        os.close(self._file)


def server_folder(folder: Path) -> Path:
    """Return the folder of a server's state in a locked data folder; move what an earlier version kept elsewhere.

    Raises DataFolderError.
    """
    target = folder / SERVER
    old = [name for name in _MOVED if (folder / name).exists()]
    both = [name for name in old if (target / name).exists()]
    if both:
        raise DataFolderError(
            f"both {folder / both[0]} and {target / both[0]} exist; move away the one that is not needed"
        )
    try:
        target.mkdir(mode=0o700, exist_ok=True)
        for name in old:
            (folder / name).rename(target / name)
        if old:
            sync_folder(target)
            sync_folder(folder)
            log.info("moved the state of an earlier version into %s", target)
    except OSError as error:
        raise DataFolderError(f"cannot use {target}: {error.strerror or error}") from error
    return target


def _owner(inode: int) -> str:
    """Return the ID of the process that has locked a file; empty when it is in another namespace, or unknown."""
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return ""
    # 3: FLOCK  ADVISORY  WRITE 4711 08:01:131074 0 EOF
    found = [words[4] for words in map(str.split, lines) if words[1] == "FLOCK" and words[5].endswith(f":{inode}")]
    return found[0] if found and int(found[0]) > 0 else ""


def _make_private(folder: Path) -> None:
    """Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = folder.stat().st_mode
    if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
        log.warning("%s was writable by others; removed that permission, since its files control this agent", folder)
        folder.chmod(stat.S_IMODE(mode) & ~_OTHERS_WRITE)
