"""Zombies: as process 1 of a container, a tool becomes the parent of every process whose own parent has ended.

async with reaping():       # does nothing unless this process gets orphans
    …
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from pyconsul.agent.common.process.child_process import gets_orphans

#: Seconds that our own children, for which others wait, may be zombies.
_DELAY_S = 1.0


@contextlib.asynccontextmanager
async def reaping() -> AsyncIterator[None]:
    """While the block runs, orphans that have ended are waited for."""
    if not gets_orphans():
        yield
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGCHLD, ended.set)
    task = asyncio.create_task(_reap(ended))
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGCHLD)
        task.cancel()


async def _reap(ended: asyncio.Event) -> None:
    seen: set[int] = set()
    while True:
        if not seen:
            await ended.wait()
        ended.clear()
        await asyncio.sleep(_DELAY_S)
        zombies = _zombies()
        # Our own children are waited for at once; zombies that are still there a second later are orphans.
        for pid in zombies & seen:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222 - it does not wait
        seen = zombies - seen


def _zombies() -> set[int]:
    """Our children that have ended and were not waited for."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            # proc(5): "pid (comm) state ppid …"; comm may hold blanks and parentheses.
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state == "Z" and int(parent) == os.getpid():
                found.add(int(entry.name))
    return found
