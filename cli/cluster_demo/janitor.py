"""Remove what a demonstration has made, as soon as it has ended, however it did: a process of its own, on the other end of a pipe.

Lines of its standard input name what to remove: `process PID`, `namespace NAME`, `folder PATH`.  It acts at the end of the input.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

WAIT_S = 20.0
FOLDER_TRIES = 100


class Janitor:
    """The demonstration's side; leaving the block removes everything that was named."""

    def __init__(self) -> None:
        argv = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, text=True, start_new_session=True)

    def __enter__(self) -> Janitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(WAIT_S)

    def note(self, kind: str, what: object) -> None:
        """Name something to be removed, before it is made or at once afterwards."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{kind} {what}\n")
        self._process.stdin.flush()


def clean(lines: Iterable[str]) -> None:
    """Remove what lines name: processes with all that they have started first, folders last."""
    named: dict[str, list[str]] = {"process": [], "namespace": [], "folder": []}
    for line in lines:
        kind, _, what = line.rstrip("\n").partition(" ")
        named[kind].append(what)
    for namespace in named["namespace"]:
        while pids := output("ip", "netns", "pids", namespace).split():
            _kill(int(pid) for pid in pids)
            time.sleep(0.01)
    for process in named["process"]:
        _kill(family(int(process)))
    for namespace in named["namespace"]:
        output("ip", "netns", "del", namespace)
    for folder in named["folder"]:
        for _ in range(FOLDER_TRIES):
            shutil.rmtree(folder, ignore_errors=True)
            if not os.path.isdir(folder):
                break
            time.sleep(0.05)  # until the last process has ended


def family(pid: int) -> list[int]:
    """Return a process that still leads a session, and those that it and they have started."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
            if int(stat.parent.name) == pid and int(fields[3]) != pid:
                return []  # another process has got the number
    found = [pid] if pid in parents else []
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def output(*argv: str) -> str:
    """Return what a program prints; "" if it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(_number, signal.SIG_IGN)
    clean(list(sys.stdin))
