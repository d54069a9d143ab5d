"""A duty, or another part of a server, that is one task from the start to the stop."""

from __future__ import annotations

import asyncio


class TaskDuty:
    """Runs `run` from `start` to `stop`; a `contract.Duty`."""

    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the task."""
        self._task = asyncio.get_running_loop().create_task(self.run())

    async def stop(self) -> None:
        """Cancel the task, and wait for it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def run(self) -> None:
        """Do the work; never ends by itself."""
        raise NotImplementedError
