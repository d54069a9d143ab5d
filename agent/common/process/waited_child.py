"""A child process that this program does nothing but wait for: started, signalled and stopped as `supervise.Child`.

Signals that arrive meanwhile are read with sigtimedwait(2), so the caller must have blocked them, and SIGCHLD.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from signal import Signals

from pyconsul.agent.common.process.child_process import (
    ShellLine,
    SpawnError,
    describe_end,
    dismiss_guardian,
    exit_status,
    find_program,
    give_terminal,
    group_alive,
    guardian_argv,
    preparation,
    signal_group,
)
from pyconsul.agent.common.reasons import reason

#: Seconds between two looks at whether a group has ended.
_GROUP_POLL_S = 0.02
#: Seconds that the others of a group may take to end after SIGKILL.
_KILL_PATIENCE_S = 2.0


class WaitedChild:
    """One process and its group. The arguments are those of `supervise.Child`; `blocked`: the signals that are blocked."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        kill_signal: Signals,
        kill_timeout: float,
        foreground: bool,
        blocked: Collection[Signals],
    ) -> None:
        self.argv = list(argv)
        self.kill_signal = kill_signal
        self.kill_timeout = kill_timeout
        self._is_shell_line = isinstance(argv, ShellLine)
        self._foreground = foreground
        self._blocked = blocked
        self._leash: int | None = None  # the pipe's end whose closing, by our death, sets off the guardian
        self._process = self._start(env)

    def _start(self, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        program = find_program(self.argv[0])
        guardian = guardian_argv(self.kill_signal, self.kill_timeout)
        reading, self._leash = os.pipe() if guardian else (None, None)
        try:
            return subprocess.Popen(
                self.argv,
                executable=program,
                env=env,
                process_group=0,
                # This program has no threads.
                preexec_fn=preparation(  # noqa: PLW1509
                    guardian, self.kill_signal, reading, self._foreground, self._blocked
                ),
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:  # ValueError: a NUL byte or a bad name
            self._dismiss_guardian()
            raise SpawnError(f"cannot run {self.argv[0]!r}: {reason(error)}") from error
        finally:
            if reading is not None:
                os.close(reading)

    def signal(self, sig: Signals) -> None:
        """Send a signal to the program; SIGKILL, and all signals for a shell line, to every process of its group."""
        if sig is signal.SIGKILL or self._is_shell_line:
            self._signal_group(sig)
        elif self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._process.pid, sig)

    def _signal_group(self, sig: Signals) -> None:
        signal_group(self._process.pid, sig)

    @property
    def running(self) -> bool:
        """Return whether the program itself (not only others of its group) still runs."""
        return self._process.poll() is None

    @property
    def ending(self) -> str:
        """Describe how the program has ended."""
        return f"{self.argv[0]} {describe_end(self._process.wait())}"

    def wait(self, timeout: float | None) -> int | Signals | None:
        """The exit status (see `process.exit_status`), or a signal that has arrived; None after `timeout` seconds."""
        latest = None if timeout is None else time.monotonic() + timeout
        while self._process.poll() is None:
            left = None if latest is None else latest - time.monotonic()
            if left is not None and left <= 0:
                return None
            if (sig := self._next_signal(left)) is not None:
                return sig
        self._after_end()
        return exit_status(self._process.wait())

    def stop(self, sig: Signals | None, on_signal: Callable[[Signals], None]) -> int:
        """End the program, then what is left of its group: `sig` or its kill signal, up to its kill timeout, then SIGKILL.

        Returns the exit status. `on_signal` is called with each signal that arrives meanwhile.
        """
        chosen = sig or self.kill_signal
        self.signal(chosen)
        if not self._group_ended(chosen, self.kill_timeout, on_signal):
            self.signal(signal.SIGKILL)
            # It ends them soon, not at once; one that hangs in the kernel is not waited for.
            self._group_ended(signal.SIGKILL, _KILL_PATIENCE_S, on_signal)
        status = exit_status(self._process.wait())
        self._after_end()
        return status

    def _group_ended(self, sig: Signals, grace: float, on_signal: Callable[[Signals], None]) -> bool:
        """Wait for the end of the program; the others of its group get the signal then. False after `grace` seconds."""
        latest = time.monotonic() + grace
        told = self._is_shell_line
        while True:
            ended = self._process.poll() is not None
            if ended and not told:
                self._signal_group(sig)
                told = True
            if ended and not group_alive(self._process.pid):
                return True
            left = latest - time.monotonic()
            if left <= 0:
                return False
            # The kernel tells nobody that a group has ended.
            if (received := self._next_signal(min(left, _GROUP_POLL_S) if ended else left)) is not None:
                on_signal(received)

    def _next_signal(self, timeout: float | None) -> Signals | None:
        """A signal for us; None after `timeout` seconds, or when a child has ended."""
        info = (
            signal.sigwaitinfo(self._blocked)
            if timeout is None
            else signal.sigtimedwait(self._blocked, max(timeout, 0))
        )
        return None if info is None or info.si_signo == signal.SIGCHLD else Signals(info.si_signo)

    def _after_end(self) -> None:
        if self._foreground:
            give_terminal(os.getpgrp())
        self._dismiss_guardian()

    def _dismiss_guardian(self) -> None:
        leash, self._leash = self._leash, None
        if leash is not None:
            dismiss_guardian(leash)
