"""Reloads the settings when one of their files changes (`auto_reload_config`)."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from contextlib import AsyncExitStack

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.flags import parse_flags
from pyconsul.agent.config.problems import Problems, ReloadError
from pyconsul.agent.runtime.reload import AgentControl

INTERVAL_S = 1.0

Stamp = tuple[int, int, int]  # inode, size, time of the last change in nanoseconds

log = logging.getLogger("agent")


def stamps(paths: Iterable[str]) -> dict[str, Stamp | None]:
    """Return what distinguishes versions of each file; None for a missing one."""
    found: dict[str, Stamp | None] = {}
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            found[path] = None
        else:
            found[path] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def watched(config: Config) -> set[str]:
    """The files and folders that the settings come from."""
    return {*config.origin.files, *parse_flags(config.origin.argv, Problems()).paths}


def start(control: AgentControl, known: dict[str, Stamp | None], stack: AsyncExitStack) -> None:
    """Watch the files until the stack is closed; `known` is how they were before the agent started."""
    task = asyncio.get_running_loop().create_task(_watch(control, known))
    stack.callback(task.cancel)


async def _watch(control: AgentControl, known: dict[str, Stamp | None]) -> None:
    while True:
        await asyncio.sleep(INTERVAL_S)
        current = stamps(watched(control.config))
        if current == known:
            continue
        try:
            await control.reload()
        except ReloadError as error:
            log.error("reload failed, configuration unchanged: %s", error)
        except Exception:
            log.exception("reload failed")
        known = {**stamps(watched(control.config)), **current}
