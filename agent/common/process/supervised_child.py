"""Child processes of the tools, each in its own process group, which is signalled, stopped and restarted as a whole.

A `Child` is what `pyenvconsul` runs and what `pyconsul-template` runs with `-exec` and after rendering:

    child = Child(argv_of("sleep 20"), env, rng=random.Random(), kill_signal=signal.SIGINT, kill_timeout=30.0)
    await child.start()                 # SpawnError: the program does not exist
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
import os
import random
import signal
import subprocess
from collections.abc import Mapping, Sequence
from signal import Signals
from typing import Any

from pyconsul.agent.common.process.child_process import (
    SpawnError,
    describe_end,
    exit_status,
    find_program,
    group_alive,
    guardian_argv,
    preparation,
)
from pyconsul.agent.common.process.process_group import GROUP_POLL_S, KILL_WAIT_S, ProcessGroup
from pyconsul.agent.common.reasons import reason

#: Minimum time between the start of a shell line and a signal that stops it. While dash starts a program it defers SIGINT
#: until that program ends, and loses it when the program replaces the shell (`exec`).
SHELL_START_S = 0.1


class Child(ProcessGroup):
    """One supervised process and its group.

    `argv`: program and arguments (see `argv_of`); the program is looked up on the tool's own PATH, not the child's.
    `env`: the whole environment of the child; None inherits the tool's.
    `kill_signal`, `kill_timeout`: how `stop` ends it; seconds between that signal and SIGKILL.
    `reload_signal`: what `reload` sends; None means that it restarts the child.
    `splay`: upper bound, in seconds, of a random wait (drawn from `rng`) before a reload or a restart.
    `foreground`: hand the terminal to the child while it runs, when stdin is one (for shells and editors).
    `guard`: start the guardian process; a command that is over in a moment may do without.
    `outlive`: let it run on when the tool dies.
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
        super().__init__(argv, foreground=foreground)
        self.env = None if env is None else dict(env)
        self.kill_signal = kill_signal
        self.kill_timeout = kill_timeout
        self.reload_signal = reload_signal
        self.splay = splay
        self._rng = rng
        self._streams: dict[str, Any] = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        self._process: asyncio.subprocess.Process | None = None
        self._started_at = 0.0  # by the loop's clock
        self._outlive = outlive
        self._guardian = guardian_argv(kill_signal, kill_timeout) if guard and not outlive else []
        self._replaced = asyncio.Event()  # set while no restart is under way
        self._replaced.set()
        self._lock = asyncio.Lock()  # one start, stop or restart at a time

    @property
    def pid(self) -> int | None:
        """The process (and group) id of the latest start; None before it."""
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        """Return whether the started program itself (not only others of its group) still runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the program; nothing happens if it runs already. Raises SpawnError."""
        async with self._lock:
            await self._start()

    async def _start(self) -> None:
        if self.running:
            return
        program = find_program(self.argv[0])
        reading = self._open_leash(self._guardian)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.argv,
                executable=program,
                env=self.env,
                process_group=0,
                preexec_fn=preparation(
                    self._guardian, None if self._outlive else self.kill_signal, reading, self._foreground
                ),
                **self._streams,
            )
            self._started_at = asyncio.get_running_loop().time()
        except (OSError, ValueError, subprocess.SubprocessError) as error:  # ValueError: a NUL byte or a bad name
            self._dismiss_guardian()
            raise SpawnError(f"cannot run {self.argv[0]!r}: {reason(error)}") from error
        finally:
            if reading is not None:
                os.close(reading)

    @property
    def ending(self) -> str:
        """Describe how the latest start has ended; "" while it runs."""
        returncode = None if self._process is None else self._process.returncode
        return "" if returncode is None else describe_end(returncode)

    def _running_pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def _group_id(self) -> int | None:
        return self.pid

    async def wait(self) -> int:
        """Wait until the child has ended, by itself or by `stop`, and return its exit status (see `exit_status`).

        A restart is not an end: the wait continues with the new process.
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
        if self._is_shell_line and self.running:
            await asyncio.sleep(max(self._started_at + SHELL_START_S - asyncio.get_running_loop().time(), 0.0))
        self.signal(kill_signal)
        try:
            await asyncio.wait_for(self._group_ended(process, kill_signal), grace)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            # A process that hangs in the kernel is not waited for.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._group_ended(process, signal.SIGKILL), KILL_WAIT_S)
        returncode = await process.wait()
        self._after_end()
        return exit_status(returncode)

    async def _group_ended(self, process: asyncio.subprocess.Process, sig: Signals) -> None:
        """Wait for the end of the program, then send the signal to the rest of its group and wait for that."""
        await process.wait()
        if not self._is_shell_line:
            self._signal_group(sig)
        while group_alive(process.pid):  # noqa: ASYNC110 - no event reports the end of a group
            await asyncio.sleep(GROUP_POLL_S)

    async def restart(self, env: Mapping[str, str] | None = None) -> None:
        """Splay, stop, and start again, with another environment if one is given. Raises SpawnError."""
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

    async def reload(self, env: Mapping[str, str] | None = None) -> None:
        """Report a change to the child: splay, then its reload signal; a restart when it has none.

        `env`: the environment of the next start; None keeps it. Raises SpawnError.
        """
        if env is not None:
            self.env = dict(env)
        if self.reload_signal is None:
            await self.restart()
            return
        await self._splay()
        self.signal(self.reload_signal)

    async def _splay(self) -> None:
        if self.splay > 0:
            await asyncio.sleep(self._rng.uniform(0, self.splay))
