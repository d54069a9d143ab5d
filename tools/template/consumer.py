"""Whoever uses the rendered files: nobody, a child process, or a command that loads them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from signal import Signals
from typing import Protocol

from pyconsul.tools.consul import RetryPolicy
from pyconsul.tools.supervise import Child
from pyconsul.tools.template.commands import CommandError, Commands
from pyconsul.tools.template.render import Draft
from pyconsul.tools.template.spec import Command

log = logging.getLogger("template")

#: When a failed reload is tried again: for ever.
RELOAD_RETRY = RetryPolicy(attempts=0, backoff=1.0, max_backoff=60.0)


class Consumer(Protocol):
    """Told about the files by a runner; works in `run`, beside it."""

    #: Whether an error in a template must not take it down.
    precious: bool

    async def check(self, drafts: Sequence[Draft]) -> str:
        """Why these files must not be put in place; "" when they may."""
        ...

    def files_ready(self) -> None:
        """All files are there."""
        ...

    def files_changed(self) -> None:
        """At least one file has a new text."""
        ...

    async def run(self) -> int:
        """Use the files; the exit status when there is nothing more to do."""
        ...

    async def stop(self) -> None:
        """End in order what was started."""
        ...

    def signal(self, sig: Signals) -> None:
        """Pass a signal on."""
        ...


class Mailbox:
    """What a consumer was told and has not yet acted on."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.changed = asyncio.Event()

    async def news(self, patience: float | None = None) -> bool:
        """Wait for a change, at most for so many seconds; whether there was one in time. It is then taken."""
        try:
            async with asyncio.timeout(patience):
                await self.changed.wait()
        except TimeoutError:
            return False
        self.changed.clear()
        return True


async def insist(reload: Callable[[], Awaitable[bool]], mailbox: Mailbox, rng: random.Random) -> None:
    """Reload until it works, with back-off; a further change makes the next try come at once."""
    failures = 0
    while not await reload():
        failures += 1
        delay = RELOAD_RETRY.delay(failures, rng) or 0.0
        log.error("the reload has failed (try %d, again in %.3gs or at the next change)", failures, delay)
        await mailbox.news(delay)


class ChildConsumer:
    """The child process of `-exec`: started when all files are there, told when they change, by a signal, a restart,
    or a command. Its end is the end of it all."""

    precious = False

    def __init__(self, child: Child, commands: Commands, reload: Command | None, rng: random.Random) -> None:
        self._child = child
        self._commands = commands
        self._reload = reload
        self._rng = rng
        self._mailbox = Mailbox()

    async def check(self, drafts: Sequence[Draft]) -> str:
        return ""

    def files_ready(self) -> None:
        self._mailbox.ready.set()

    def files_changed(self) -> None:
        if self._child.pid is not None:
            self._mailbox.changed.set()

    async def run(self) -> int:
        await self._mailbox.ready.wait()
        await self._child.start()
        telling = asyncio.create_task(self._tell())
        waiting = asyncio.create_task(self._child.wait())
        try:
            await asyncio.wait((waiting, telling), return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else telling.result()
        finally:
            telling.cancel()
            waiting.cancel()
            await asyncio.gather(telling, waiting, return_exceptions=True)

    async def _tell(self) -> int:
        while True:
            await self._mailbox.news()
            if self._reload is None:
                await self._child.reload()
            else:
                await insist(self._run_reload, self._mailbox, self._rng)

    async def _run_reload(self) -> bool:
        assert self._reload is not None
        return await succeeds(self._commands, self._reload)

    async def stop(self) -> None:
        await self._child.stop()

    def signal(self, sig: Signals) -> None:
        self._child.signal(sig)


class CommandConsumer:
    """The command of `-exec-reload`, run after each change; `once`: one time, and its failure counts."""

    precious = True

    def __init__(self, commands: Commands, reload: Command, rng: random.Random, *, once: bool) -> None:
        self._commands = commands
        self._reload = reload
        self._rng = rng
        self._once = once
        self._mailbox = Mailbox()

    async def check(self, drafts: Sequence[Draft]) -> str:
        return ""

    def files_ready(self) -> None:
        self._mailbox.ready.set()

    def files_changed(self) -> None:
        self._mailbox.changed.set()

    async def run(self) -> int:
        await self._mailbox.ready.wait()
        if self._once:
            if self._mailbox.changed.is_set():
                await self._commands.run(self._reload)
            return 0
        while True:
            await self._mailbox.news()
            await insist(lambda: succeeds(self._commands, self._reload), self._mailbox, self._rng)

    async def stop(self) -> None:
        """A command ends by itself, or with the task that waits for it."""

    def signal(self, sig: Signals) -> None:
        """There is nobody to pass it on to."""


async def succeeds(commands: Commands, command: Command) -> bool:
    """Run a command; its failure is logged."""
    try:
        await commands.run(command)
    except CommandError as error:
        log.error("%s", error)
        return False
    return True
