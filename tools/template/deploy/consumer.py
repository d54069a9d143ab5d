"""Consumers of the rendered files: a child process, or a command that loads them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from signal import Signals
from typing import TYPE_CHECKING

from pyconsul.tools.template.deploy.contract import CommandError, LoadError

if TYPE_CHECKING:
    from pyconsul.agent.common.process.supervised_child import Child
    from pyconsul.tools.template.deploy.commands import Commands
    from pyconsul.tools.template.deploy.file_writer import Draft
    from pyconsul.tools.template.spec import Command

log = logging.getLogger("template")


class ChildConsumer:
    """The child process of `-exec`: started when all files exist; changes are reported by a signal, a restart, or a
    command. Its end ends the run."""

    must_survive = False

    def __init__(self, child: Child, commands: Commands, reload: Command | None, *, limited: bool) -> None:
        """`limited`: whether `load` lasts until the restart is over, since other machines wait for that."""
        self._limited = limited
        self._child = child
        self._commands = commands
        self._reload = reload
        self._ready = asyncio.Event()
        self._changed = asyncio.Event()

    def claim(self) -> None:
        """Do nothing: no other program competes for the files."""

    async def check(self, drafts: Sequence[Draft]) -> str:
        return ""

    def files_ready(self) -> None:
        self._ready.set()

    async def load(self) -> None:
        if self._child.pid is None:
            return
        if self._reload is None and self._limited:
            await self._child.reload()
        elif self._reload is None:
            self._changed.set()  # a splay may take long, and a signal has no result
        else:
            await run_reload(self._commands, self._reload)

    async def run(self) -> int:
        await self._ready.wait()
        await self._child.start()
        reporting = asyncio.create_task(self._report_changes())
        waiting = asyncio.create_task(self._child.wait())
        try:
            await asyncio.wait((waiting, reporting), return_when=asyncio.FIRST_COMPLETED)
            if waiting.done() and waiting.result():
                log.error("%s %s", self._child.argv[0], self._child.ending)
            return waiting.result() if waiting.done() else reporting.result()
        finally:
            reporting.cancel()
            waiting.cancel()
            await asyncio.gather(reporting, waiting, return_exceptions=True)

    async def _report_changes(self) -> int:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._child.reload()

    async def stop(self, *, handover: bool = False) -> None:
        await self._child.stop()

    def signal(self, sig: Signals) -> None:
        self._child.signal(sig)


class CommandConsumer:
    """The command of `-exec-reload`, run after each change; `once`: end after the first files."""

    must_survive = True

    def __init__(self, commands: Commands, reload: Command, *, once: bool) -> None:
        self._commands = commands
        self._reload = reload
        self._once = once
        self._ready = asyncio.Event()

    def claim(self) -> None:
        """Do nothing: no other program competes for the files."""

    async def check(self, drafts: Sequence[Draft]) -> str:
        return ""

    def files_ready(self) -> None:
        self._ready.set()

    async def load(self) -> None:
        await run_reload(self._commands, self._reload)

    async def run(self) -> int:
        await self._ready.wait()
        if not self._once:
            await asyncio.Event().wait()
        return 0

    async def stop(self, *, handover: bool = False) -> None:
        """Do nothing: a command ends by itself, or with the task that waits for it."""

    def signal(self, sig: Signals) -> None:
        """Do nothing: this consumer has no process."""


async def run_reload(commands: Commands, command: Command) -> None:
    """Run a command that loads files. Raises LoadError."""
    try:
        await commands.run(command)
    except CommandError as error:
        raise LoadError(str(error)) from error
