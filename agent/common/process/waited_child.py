"""A child process that this program does nothing but wait for: started, signalled and stopped as `supervised_child.Child`.

Signals that arrive meanwhile are read with sigtimedwait(2), so the caller must have blocked them, and SIGCHLD.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from signal import Signals

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


class WaitedChild(ProcessGroup):
    """One process and its group. The arguments are those of `supervised_child.Child`; `blocked`: the signals that are blocked."""

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
        super().__init__(argv, foreground=foreground)
        self.kill_signal = kill_signal
        self.kill_timeout = kill_timeout
        self._blocked = blocked
        self._process = self._start(env)

    def _start(self, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        program = find_program(self.argv[0])
        guardian = guardian_argv(self.kill_signal, self.kill_timeout)
        reading = self._open_leash(guardian)
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

    def _running_pid(self) -> int | None:
        return self._process.pid if self._process.returncode is None else None

    def _group_id(self) -> int | None:
        return self._process.pid

    @property
    def running(self) -> bool:
        """Return whether the program itself (not only others of its group) still runs."""
        return self._process.poll() is None

    @property
    def ending(self) -> str:
        """Describe how the program has ended."""
        return f"{self.argv[0]} {describe_end(self._process.wait())}"

    def wait(self, timeout: float | None) -> int | Signals | None:
        """Return the exit status (see `process.exit_status`), or a signal that has arrived; None after `timeout` seconds."""
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
            # A process that hangs in the kernel is not waited for.
            self._group_ended(signal.SIGKILL, KILL_WAIT_S, on_signal)
        status = exit_status(self._process.wait())
        self._after_end()
        return status

    def _group_ended(self, sig: Signals, grace: float, on_signal: Callable[[Signals], None]) -> bool:
        """Wait for the end of the program, then send the signal to the rest of its group and wait for that.

        Returns False after `grace` seconds.
        """
        latest = time.monotonic() + grace
        sent = self._is_shell_line
        while True:
            ended = self._process.poll() is not None
            if ended and not sent:
                self._signal_group(sig)
                sent = True
            if ended and not group_alive(self._process.pid):
                return True
            left = latest - time.monotonic()
            if left <= 0:
                return False
            # No event reports the end of a group.
            if (received := self._next_signal(min(left, GROUP_POLL_S) if ended else left)) is not None:
                on_signal(received)

    def _next_signal(self, timeout: float | None) -> Signals | None:
        """Return a signal for us; None after `timeout` seconds, or when a child has ended."""
        info = (
            signal.sigwaitinfo(self._blocked)
            if timeout is None
            else signal.sigtimedwait(self._blocked, max(timeout, 0))
        )
        return None if info is None or info.si_signo == signal.SIGCHLD else Signals(info.si_signo)
