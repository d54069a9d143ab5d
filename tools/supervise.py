"""Child processes of the tools: started in a process group of their own, signalled, stopped and restarted as a whole.

A `Child` is what `pyenvconsul` runs and what `pyconsul-template` runs with `-exec` and after rendering:

    child = Child(argv_of("sleep 20"), env, rng=random.Random(), kill_signal=signal.SIGINT, kill_timeout=30.0)
    await child.start()                 # SpawnError: there is no such program
    child.signal(signal.SIGUSR1)        # to the program; to its whole group when it is a shell line
    await child.restart(env=new_env)    # splay, stop, start; a running `wait` goes on with the new process
    status = await child.wait()         # 0-255; a process killed by a signal counts as 255
    await child.stop()                  # kill signal, grace period, SIGKILL

Nothing of a child outlives the tool, unless it is meant to (`outlive`): should the tool itself be killed by SIGKILL, the
kernel signals the child (PR_SET_PDEATHSIG, Linux) and a small guardian process ends the rest of its group.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import Signals
from typing import Any

#: The exit status that stands for a child killed by a signal (it has no status of its own).
KILLED_STATUS = 255
#: Seconds a guardian leaves an orphaned group before SIGKILL; the kill timeout, when that is shorter.
ORPHAN_GRACE = 5.0
#: Seconds between two looks at whether a group has ended; the leader itself is waited for without polling.
_GROUP_POLL = 0.02
#: Seconds that the others of a group may take to end after SIGKILL.
_KILL_PATIENCE = 2.0
_PR_SET_PDEATHSIG = 1
_PLAIN_WORD = re.compile(r"[\w./+:@%,=-]+")
# $1: the kill signal, $2: tenths of a second to wait, $3: the group. One line on stdin dismisses the guardian.
_GUARDIAN = (
    "trap '' INT TERM HUP; read -r _ && exit 0; kill -s $1 -- -$3 || exit 0; i=0; "
    "while [ $i -lt $2 ]; do kill -s 0 -- -$3 || exit 0; sleep 0.1; i=$((i+1)); done; kill -s KILL -- -$3"
)


class SpawnError(Exception):
    """A program could not be started: it does not exist, or may not be executed. The text names it."""


def parse_signal(name: str) -> Signals | None:
    """A signal by its name, with or without "SIG", in any case: "SIGHUP", "sigusr1", "term".

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
    """The arguments of a shell that runs one line: signals are for what it runs, since a shell passes none on."""


def argv_of(command: str | Sequence[str]) -> list[str]:
    """The arguments to execute for a command of a flag, a configuration file or a command line.

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
    if len(words) > 1 and words[0] == "exec" and shutil.which("exec") is None:
        return words[1:]
    return words


def exit_status(returncode: int) -> int:
    """The status that a tool ends with for a child's return code as `asyncio` and `subprocess` give it."""
    return KILLED_STATUS if returncode < 0 else returncode


def describe_end(returncode: int) -> str:
    """How a child has ended, for messages; the return code is that of `asyncio` and `subprocess`."""
    if returncode >= 0:
        return f"has ended with status {returncode}"
    try:
        name = Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"was killed by {name} ({128 - returncode})"


def group_alive(pgid: int) -> bool:
    """Whether a process group has a member that still runs; zombies, which nobody may ever reap, do not count."""
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


def _preparation(
    guardian: Sequence[str], sig: Signals | None, reading: int | None, foreground: bool
) -> Callable[[], None] | None:
    """What the new process does before it executes its program, so that its group ends when the tool dies.

    The guardian is started here, from within, so that there is no moment in which the program runs without it.
    `sig`: what the kernel sends when the tool dies; None: nothing. `reading`: the end of the pipe that the guardian
    watches; None for no guardian. `foreground`: take the terminal, too.
    """
    tied = sys.platform.startswith("linux") and sig is not None
    if not tied and reading is None and not foreground:
        return None
    prctl = ctypes.CDLL(None).prctl if tied else None
    parent = os.getpid()

    def prepare() -> None:
        if foreground:
            _give_terminal(os.getpgrp())
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


class Child:
    """One supervised process and its group.

    `argv`: program and arguments (see `argv_of`); the program is looked up on the tool's own PATH, not the child's.
    `env`: the whole environment of the child; None inherits the tool's.
    `kill_signal`, `kill_timeout`: how `stop` ends it; seconds between that signal and SIGKILL.
    `reload_signal`: what `reload` sends; None means that it restarts the child.
    `splay`: upper bound, in seconds, of a random wait (drawn from `rng`) before a reload or a restart.
    `foreground`: hand the terminal to the child while it runs, when stdin is one (for shells and editors).
    `guard`: start the guardian process; a command that is over in a moment may do without.
    `outlive`: let it go on when the tool dies.
    `stdin`, `stdout`, `stderr`: as for `asyncio.create_subprocess_exec`; None inherits the tool's.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        *,
        rng: random.Random,
        kill_signal: Signals = signal.SIGINT,
        kill_timeout: float = 30.0,
        reload_signal: Signals | None = None,
        splay: float = 0.0,
        foreground: bool = False,
        guard: bool = True,
        outlive: bool = False,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> None:
        if not argv:
            raise ValueError("a child needs a program to run")
        self.argv = list(argv)
        self._is_shell_line = isinstance(argv, ShellLine)
        self.env = None if env is None else dict(env)
        self.kill_signal = kill_signal
        self.kill_timeout = kill_timeout
        self.reload_signal = reload_signal
        self.splay = splay
        self.foreground = foreground
        self._rng = rng
        self._streams: dict[str, Any] = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        self._process: asyncio.subprocess.Process | None = None
        self._leash: int | None = None  # the pipe's end whose closing, by our death, sets off the guardian
        self._outlive = outlive
        self._guardian = self._guardian_argv() if guard and not outlive else []
        self._replaced = asyncio.Event()  # set while no restart is under way
        self._replaced.set()
        self._lock = asyncio.Lock()  # one start, stop or restart at a time

    def _guardian_argv(self) -> list[str]:
        shell = shutil.which("sh")
        # The kernel itself ends all others when the process with id 1 has died.
        if shell is None or os.getpid() == 1:
            return []
        tenths = int(min(self.kill_timeout, ORPHAN_GRACE) * 10)
        return [shell, "-c", _GUARDIAN, "guardian", self.kill_signal.name.removeprefix("SIG"), str(tenths)]

    @property
    def pid(self) -> int | None:
        """The process (and group) id of the latest start; None before it."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether the started program itself (not only others of its group) is still there."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the program; nothing happens if it runs already. Raises SpawnError."""
        async with self._lock:
            await self._start()

    async def _start(self) -> None:
        if self.running:
            return
        program = shutil.which(self.argv[0])
        if program is None:
            raise SpawnError(f"cannot run {self.argv[0]!r}: no such program, or it may not be executed")
        reading, self._leash = os.pipe() if self._guardian else (None, None)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.argv,
                executable=program,
                env=self.env,
                process_group=0,
                preexec_fn=_preparation(
                    self._guardian, None if self._outlive else self.kill_signal, reading, self.foreground
                ),
                **self._streams,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:  # ValueError: a NUL byte or a bad name
            self._dismiss_guardian()
            raise SpawnError(f"cannot run {self.argv[0]!r}: {error}") from error
        finally:
            if reading is not None:
                os.close(reading)

    def _after_end(self) -> None:
        if self.foreground:
            _give_terminal(os.getpgrp())
        self._dismiss_guardian()

    def _dismiss_guardian(self) -> None:
        leash, self._leash = self._leash, None
        if leash is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(leash, b"\n")
            os.close(leash)

    @property
    def ending(self) -> str:
        """How the latest start has ended, for messages; "" while it runs."""
        returncode = None if self._process is None else self._process.returncode
        return "" if returncode is None else describe_end(returncode)

    def signal(self, sig: Signals) -> None:
        """Send a signal to the program; SIGKILL, and all signals for a shell line, to every process of its group.

        Nothing happens when it has ended.
        """
        if sig is signal.SIGKILL or self._is_shell_line:
            self._signal_group(sig)
        elif self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._process.pid, sig)

    def _signal_group(self, sig: Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, sig)

    async def wait(self) -> int:
        """Wait until the child has ended, by itself or by `stop`, and return its exit status (see `exit_status`).

        A restart meanwhile is no end: the wait goes on with the new process.
        """
        while True:
            process = self._process
            if process is None:
                raise RuntimeError("the child has not been started")
            returncode = await process.wait()
            await self._replaced.wait()
            if process is self._process:
                self._after_end()
                return exit_status(returncode)

    async def stop(self, kill_signal: Signals | None = None, grace: float | None = None) -> int | None:
        """End the program, then what is left of its group: signal, wait up to `grace` seconds, then SIGKILL; returns the
        exit status.

        Without arguments the child's own kill signal and timeout are taken. None when it was never started.
        """
        async with self._lock:
            return await self._stop(kill_signal or self.kill_signal, self.kill_timeout if grace is None else grace)

    async def _stop(self, kill_signal: Signals, grace: float) -> int | None:
        process = self._process
        if process is None:
            return None
        self.signal(kill_signal)
        try:
            await asyncio.wait_for(self._group_ended(process, kill_signal), grace)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            # It ends them soon, not at once; one that hangs in the kernel is not waited for.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._group_ended(process, signal.SIGKILL), _KILL_PATIENCE)
        returncode = await process.wait()
        self._after_end()
        return exit_status(returncode)

    async def _group_ended(self, process: asyncio.subprocess.Process, sig: Signals) -> None:
        """The end of the program; the others of its group get the signal then."""
        await process.wait()
        if not self._is_shell_line:
            self._signal_group(sig)
        while group_alive(process.pid):  # noqa: ASYNC110 - the kernel tells nobody that a group has ended
            await asyncio.sleep(_GROUP_POLL)

    async def restart(self, env: Mapping[str, str] | None = None) -> None:
        """Splay, stop, and start anew, with another environment if one is given. Raises SpawnError."""
        await self._splay()
        async with self._lock:
            self._replaced.clear()
            try:
                await self._stop(self.kill_signal, self.kill_timeout)
                if env is not None:
                    self.env = dict(env)
                await self._start()
            finally:
                self._replaced.set()

    async def reload(self, sig: Signals | None = None) -> None:
        """Tell the child that its files have changed: splay, then `sig` or its reload signal, else a restart."""
        chosen = sig or self.reload_signal
        if chosen is None:
            await self.restart()
            return
        await self._splay()
        self.signal(chosen)

    async def _splay(self) -> None:
        if self.splay > 0:
            await asyncio.sleep(self._rng.uniform(0, self.splay))


def _give_terminal(pgid: int) -> None:
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
