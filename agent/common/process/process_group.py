"""The process group of a supervised child: its signals, its guardian process, and the terminal."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from signal import Signals

from pyconsul.agent.common.process.child_process import ShellLine, dismiss_guardian, give_terminal

#: Interval between two checks whether a group has ended; no event reports that.
GROUP_POLL_S = 0.02
#: Maximum time that the members of a group get to end after SIGKILL.
KILL_WAIT_S = 2.0


class ProcessGroup:
    """Base class of children, which start the program and wait for it. `argv`, `foreground`: see `supervised_child.Child`."""

    def __init__(self, argv: Sequence[str], *, foreground: bool) -> None:
        self.argv = list(argv)
        self._is_shell_line = isinstance(argv, ShellLine)
        self._foreground = foreground
        self._leash: int | None = None  # the end of a pipe that closes when this program dies; then the guardian acts

    def _running_pid(self) -> int | None:
        """Return the process ID of the program itself; None when it does not run."""
        raise NotImplementedError

    def _group_id(self) -> int | None:
        """Return the process group of the latest start; None before it."""
        raise NotImplementedError

    def signal(self, sig: Signals) -> None:
        """Send a signal to the program; SIGKILL, and all signals for a shell line, to every process of its group.

        Nothing happens when it has ended.
        """
        if sig is signal.SIGKILL or self._is_shell_line:
            self._signal_group(sig)
        elif (pid := self._running_pid()) is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, sig)

    def _signal_group(self, sig: Signals) -> None:
        if (group := self._group_id()) is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, sig)

    def _open_leash(self, guardian: Sequence[str]) -> int | None:
        """Return the end of a new pipe that the guardian reads; None without a guardian."""
        reading, self._leash = os.pipe() if guardian else (None, None)
        return reading

    def _dismiss_guardian(self) -> None:
        leash, self._leash = self._leash, None
        if leash is not None:
            dismiss_guardian(leash)

    def _after_end(self) -> None:
        if self._foreground:
            give_terminal(os.getpgrp())
        self._dismiss_guardian()
