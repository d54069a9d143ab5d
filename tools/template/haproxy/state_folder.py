"""Where a later run of the tool finds the HAProxy of an earlier one: fixed paths, one owner at a time.

    state = StateFolder(base_folder("", os.environ), ["/etc/haproxy/haproxy.cfg"])
    state.claim()                    # SpawnError: another process looks after this HAProxy
    state.socket, state.stderr       # of the master: its socket, the named pipe that it writes to
    state.remember(digest)           # of the files that it works with
    state.release(keep=False)

The names are made from the paths of the configuration files, so the same files always mean the same HAProxy.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyconsul.agent.common.process.child_process import SpawnError

_NAME = "pyconsul-template"
#: Characters; HAProxy takes socket paths of 97, and adds a suffix while it binds.
_MAX_SOCKET_PATH = 85


def base_folder(chosen: str, environ: Mapping[str, str]) -> Path:
    """Return the chosen folder; or else systemd's runtime folder of the unit, /run of root, the user's runtime folder, /tmp."""
    if chosen:
        return Path(chosen).absolute()
    if given := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return Path(given)
    if os.geteuid() == 0 and os.access("/run", os.W_OK):
        return Path("/run", _NAME)
    if given := environ.get("XDG_RUNTIME_DIR", ""):
        return Path(given, _NAME)
    return Path("/tmp", f"{_NAME}-{os.geteuid()}")


class StateFolder:
    """`files`: HAProxy's configuration."""

    def __init__(self, base: Path, files: Sequence[str]) -> None:
        self._base = base
        self._files = [os.path.abspath(file) for file in files]
        self._id = hashlib.sha256("\0".join(self._files).encode()).hexdigest()[:16]
        self._lock: int | None = None
        #: The master's socket, and the named pipe that is its stderr.
        self.socket = base / f"{self._id}.sock"
        self.stderr = base / f"{self._id}.stderr"
        self._loaded = base / f"{self._id}.loaded"

    def claim(self) -> None:
        """Become the one who looks after this HAProxy. Raises SpawnError."""
        if self._lock is not None:
            return
        if len(str(self.socket)) > _MAX_SOCKET_PATH:
            raise SpawnError(f"the folder {self._base} has too long a name for a socket (set -haproxy-state-dir)")
        try:
            self._make_base()
            self._take_lock(self._base / f"{self._id}.lock")
        except OSError as error:
            raise SpawnError(
                f"cannot use the folder {self._base}: {error.strerror} (set -haproxy-state-dir)"
            ) from error

    def _make_base(self) -> None:
        self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._base.lstat()
        # In a folder of somebody else's, the socket would be theirs to replace.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise SpawnError(
                f"the folder {self._base} is not ours alone to write: it must be a folder of user {os.geteuid()} with "
                "mode 0700 (set -haproxy-state-dir)"
            )

    def _take_lock(self, path: Path) -> None:
        while True:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
                os.close(lock)
                files = ", ".join(self._files)
                raise SpawnError(
                    f"another pyconsul-template (pid {holder}) already runs haproxy with {files}: stop it first"
                ) from None
            # The holder before us may have removed the file between our two calls.
            with contextlib.suppress(FileNotFoundError):
                if os.fstat(lock).st_ino == path.stat().st_ino:
                    os.ftruncate(lock, 0)
                    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
                    self._lock = lock
                    return
            os.close(lock)

    def release(self, *, keep: bool) -> None:
        """Let others have it. `keep`: HAProxy goes on, so its files stay."""
        if self._lock is None:
            return
        if not keep:
            for path in (self.socket, self.stderr, self._loaded, self._base / f"{self._id}.lock"):
                path.unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None

    def remember(self, digest: str) -> None:
        """Note which files are in loaded; "" when that is not known."""
        with contextlib.suppress(OSError):
            self._loaded.write_text(digest)

    def remembered(self) -> str:
        """Return the digest of the files in loaded; "" when that is not known."""
        try:
            return self._loaded.read_text()
        except OSError:
            return ""

    def master(self) -> int | None:
        """Return the process ID of a HAProxy that an earlier run has left at this socket, or None."""
        found = dict(_processes(str(self.socket)))
        # Workers have the master's command line.
        return next((pid for pid, parent in found.items() if parent not in found), None)


def _processes(socket: str) -> list[tuple[int, int]]:
    """Process ID and parent of all that were started with this master socket."""
    result = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if "-S" not in words or words[words.index("-S") + 1].partition(",")[0] != socket:
                continue
            # proc(5): "pid (comm) state ppid …"; comm may hold blanks and parentheses.
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                result.append((int(entry.name), int(parent)))
    return result
