"""A HAProxy that an earlier run of the tool has started: not our child, but supervised as if it were."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from signal import Signals
from typing import Protocol

from pyconsul.agent.common.process.child_process import group_alive

_GROUP_POLL = 0.02  # seconds between two looks at whether the group has ended


class Process(Protocol):
    """The master process, whoever has started it."""

    @property
    def pid(self) -> int | None:
        """The ID of the process and of its group."""
        ...

    @property
    def running(self) -> bool:
        """Return whether the master is there."""
        ...

    async def wait(self) -> int:
        """Return its end; the exit status."""
        ...

    async def stop(self) -> int | None:
        """End it in order."""
        ...


class Adopted:
    """`pid`: of the master, which leads its process group. `kill_timeout`: seconds before SIGKILL."""

    def __init__(self, pid: int, kill_signal: Signals, kill_timeout: float) -> None:
        """Raises OSError when there is no such process, or the system has no pidfd_open. Needs a running loop."""
        self.pid = pid
        self._kill_signal = kill_signal
        self._kill_timeout = kill_timeout
        self._fd = os.pidfd_open(pid)
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._fd, self._end)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
        self._ended.set()

    @property
    def running(self) -> bool:
        """Return whether it is there; a pidfd becomes readable at the end."""
        return not self._ended.is_set() and not select.select([self._fd], [], [], 0)[0]

    async def wait(self) -> int:
        """Return its end; the status is known to its parent alone, so it counts as 0."""
        await self._ended.wait()
        return 0

    async def stop(self) -> int | None:
        """Signal its group, wait, then SIGKILL."""
        self._signal(self._kill_signal)
        try:
            async with asyncio.timeout(self._kill_timeout):
                await self._group_ended()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._kill_timeout):
                    await self._group_ended()
        return 0

    def _signal(self, sig: Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, sig)

    async def _group_ended(self) -> None:
        while self.running or group_alive(self.pid):  # noqa: ASYNC110 - the kernel tells nobody that a group has ended
            await asyncio.sleep(_GROUP_POLL)

    def detach(self) -> None:
        """Watch it no longer."""
        if not self._ended.is_set():
            self._end()
