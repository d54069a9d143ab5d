"""Helpers for child processes: arguments, guardian, terminal, and the description of their end.

Without asyncio, which one-shot commands do not load; `supervised_child` runs children on an event loop.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from signal import Signals
from typing import Any

#: The exit status for a child that was killed by a signal, which has none.
KILLED_STATUS = 255
#: Seconds a guardian leaves an orphaned group before SIGKILL; the kill timeout, when that is shorter.
ORPHAN_GRACE = 5.0
_PR_SET_PDEATHSIG = 1
_PR_GET_CHILD_SUBREAPER = 37
_PLAIN_WORD = re.compile(r"[\w./+:@%,=-]+")
# $1: the kill signal, $2: tenths of a second to wait, $3: the group. One line on stdin dismisses the guardian.
_GUARDIAN = (
    "trap '' INT TERM HUP; read -r _ && exit 0; kill -s $1 -- -$3 || exit 0; i=0; "
    "while [ $i -lt $2 ]; do kill -s 0 -- -$3 || exit 0; sleep 0.1; i=$((i+1)); done; kill -s KILL -- -$3"
)


class SpawnError(Exception):
    """A program could not be started: it does not exist, or may not be executed. The text names it."""


def parse_signal(name: str) -> Signals | None:
    """Return a signal by its name, with or without "SIG", in any case: "SIGHUP", "sigusr1", "term".

    "" and "SIGNULL" mean no signal (None). Raises ValueError for a name this system does not know.
    """
    word = name.strip().upper()
    if word in ("", "SIGNULL", "SIGNIL"):
        return None
    try:
        return Signals[word if word.startswith("SIG") else "SIG" + word]
    except KeyError:
        raise ValueError(f"unknown signal {name!r}: use a name such as SIGHUP, SIGINT, SIGTERM or SIGUSR1") from None


class ShellLine(list[str]):
    """The arguments of a shell that runs one line. Signals go to its whole group: a shell does not pass them on."""


def argv_of(command: str | Sequence[str]) -> list[str]:
    """Return the arguments to execute for a command of a flag, a configuration file or a command line.

    Several words are a program and its arguments, without a shell. One single word (or string) is a shell line,
    unless it is nothing but the name of a program. A leading `exec` of several words is dropped: there is no shell
    that it could replace. An empty command gives [].
    """
    words = [command] if isinstance(command, str) else list(command)
    if len(words) == 1:
        line = words[0].strip()
        if not line:
            return []
        return [line] if _PLAIN_WORD.fullmatch(line) and "=" not in line else ShellLine(["sh", "-c", words[0]])
    if len(words) > 1 and words[0] == "exec" and _which("exec") is None:
        return words[1:]
    return words


def exit_status(returncode: int) -> int:
    """Return the status that a tool ends with for a child's return code as `asyncio` and `subprocess` give it."""
    return KILLED_STATUS if returncode < 0 else returncode


def describe_end(returncode: int) -> str:
    """Describe how a child has ended; the return code is that of `asyncio` and `subprocess`."""
    if returncode >= 0:
        return f"has ended with status {returncode}"
    try:
        name = Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"was killed by {name} ({128 - returncode})"


def signal_group(pgid: int, sig: Signals) -> None:
    """Send a signal to every process of a group; nothing happens when it has ended, or belongs to another user."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, sig)


def group_alive(pgid: int) -> bool:
    """Return whether a process group has a member that still runs; zombies do not count."""
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if not sys.platform.startswith("linux"):
        return True
    return any(_runs_in_group(entry, pgid) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _runs_in_group(entry: Path, pgid: int) -> bool:
    try:
        # proc(5): "pid (comm) state ppid pgrp ..."; comm may hold blanks and parentheses.
        state, _ppid, pgrp = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(pgrp) == pgid and state not in "ZX"


def preparation(
    guardian: Sequence[str],
    sig: Signals | None,
    reading: int | None,
    foreground: bool,
    blocked: Iterable[Signals] = (),
) -> Callable[[], None] | None:
    """Return the steps of the new process before it executes its program, so that its group ends when the tool dies.

    The new process starts the guardian itself, so that the program never runs without it.
    `sig`: what the kernel sends when the tool dies; None: nothing. `reading`: the end of the pipe that the guardian
    watches; None for no guardian. `foreground`: take the terminal, too.
    `blocked`: signals that we have blocked, and that the program is to get.
    """
    tied = sys.platform.startswith("linux") and sig is not None
    if not tied and reading is None and not foreground and not blocked:
        return None
    prctl = _libc().prctl if tied else None
    parent = os.getpid()

    def prepare() -> None:
        if blocked:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        if foreground:
            give_terminal(os.getpgrp())
        if reading is not None:
            _start_guardian(guardian, reading)
        if prctl is not None and sig is not None:
            prctl(_PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
            if os.getppid() != parent:  # It died before prctl took effect.
                os._exit(KILLED_STATUS)

    return prepare


def _start_guardian(argv: Sequence[str], reading: int) -> None:
    """Fork twice, so that the program does not get a child that it knows nothing of."""
    pgid = str(os.getpid())
    if middle := os.fork():
        os.waitpid(middle, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for source, target in ((reading, 0), (null, 1), (null, 2)):
                os.dup2(source, target)
            os.execv(argv[0], [*argv, pgid])
    finally:
        os._exit(0)


def guardian_argv(kill_signal: Signals, kill_timeout: float) -> list[str]:
    """Return the command of the guardian process; empty where none can run, or none is needed."""
    shell = _which("sh")
    # The kernel itself ends all others when the process with id 1 has died.
    if shell is None or os.getpid() == 1:
        return []
    tenths = int(min(kill_timeout, ORPHAN_GRACE) * 10)
    return [shell, "-c", _GUARDIAN, "guardian", kill_signal.name.removeprefix("SIG"), str(tenths)]


def find_program(name: str) -> str:
    """Return the path of a program. Raises SpawnError when it is missing."""
    program = _which(name)
    if program is None:
        raise SpawnError(f"cannot run {name!r}: no such program, or it may not be executed")
    return program


def dismiss_guardian(leash: int) -> None:
    """Dismiss the guardian that reads from this pipe, and close the pipe."""
    with contextlib.suppress(BrokenPipeError):
        os.write(leash, b"\n")
    os.close(leash)


def give_terminal(pgid: int) -> None:
    """Make a group the terminal's foreground group, if stdin is our terminal and we may: so it can read from it."""
    if not os.isatty(0):
        return
    # A background group that calls tcsetpgrp is stopped by SIGTTOU, unless that is blocked.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(0, pgid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def gets_orphans() -> bool:
    """Return whether this process becomes the parent of those whose own parent has ended, and must wait for them."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    subreaper = ctypes.c_int(0)
    _libc().prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(subreaper), 0, 0, 0)
    return os.getpid() == 1 or bool(subreaper.value)


def has_terminal() -> bool:
    """Return whether this process is in the foreground of the terminal on stdin, so that it can pass it to the child."""
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _libc() -> Any:
    import ctypes  # 1 ms, as `shutil` below

    return ctypes.CDLL(None)


def _which(name: str) -> str | None:
    """Return the path of a program."""
    import shutil  # 1.5 ms, which runs without programs do not need

    return shutil.which(name)
