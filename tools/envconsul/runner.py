"""One run of pyenvconsul: read all sources, start the child with their variables, restart it when they change."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from signal import Signals
from typing import Any, Protocol

from pyconsul.agent.common.process.child_process import has_terminal
from pyconsul.agent.common.process.supervised_child import Child
from pyconsul.tools.envconsul.options import ONCE
from pyconsul.tools.envconsul.plan import OverdueError, variables_of
from pyconsul.tools.envconsul.sources import Source
from pyconsul.tools.options.child import (
    EXEC_KILL_SIGNAL,
    EXEC_KILL_TIMEOUT,
    EXEC_RELOAD_SIGNAL,
    EXEC_SPLAY,
    EXEC_TIMEOUT,
)
from pyconsul.tools.options.run import WAIT
from pyconsul.tools.options.settings import Settings
from pyconsul.tools.restart_limit import Limit

log = logging.getLogger("envconsul")


class Consul(Protocol):
    """Reads from Consul; see `ConsulClient`."""

    async def blocking(self, path: str, params: Mapping[str, str], index: int) -> tuple[Any, int]:
        """Return the response to a blocking query, and its index."""
        ...

    def watch(self, path: str, params: Mapping[str, str], index: int) -> AsyncIterator[Any]:
        """Yield each response after an index."""
        ...


class Runner:
    """Reads the sources and keeps one child running with their variables.

    `environ`: the variables of the tool itself, which the child inherits unless the settings say otherwise. `limit`: grants
    restarts.
    """

    def __init__(
        self,
        settings: Settings,
        sources: Sequence[Source],
        environ: Mapping[str, str],
        rng: random.Random,
        consul: Consul,
        limit: Limit,
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._environ = environ
        self._rng = rng
        self._consul = consul
        self._limit = limit
        self._answers: list[tuple[Any, int]] = []  # of each source: the decoded JSON and its index
        self._changed = asyncio.Event()
        self._child: Child | None = None

    async def run(self, argv: Sequence[str]) -> int:
        """Run the child until it ends by itself, and return its exit status.

        Raises ConsulError, SpawnError and OverdueError. Cancelling leaves the child as it is, for `stop`.
        """
        await self._read()
        child = self._child = self._new_child(argv)
        await child.start()
        if self._settings[ONCE] or not self._sources:
            return await self._end_of(child)
        followers = [self._follow(number) for number in range(len(self._sources))]
        return await _first(self._end_of(child), self._restart_on_change(child), *followers)

    async def _end_of(self, child: Child) -> int:
        """Return the child's exit status. Raises OverdueError for a child stopped after `exec.timeout`."""
        try:
            return await asyncio.wait_for(child.wait(), self._settings[EXEC_TIMEOUT] or None)
        except TimeoutError:
            await child.stop()
            raise OverdueError from None

    async def stop(self, sig: Signals | None = None, grace: float | None = None) -> int | None:
        """Stop the child as `Child.stop` does; returns None without a running child."""
        if self._child is None or not self._child.running:
            return None
        return await self._child.stop(sig, grace)

    @property
    def ending(self) -> str:
        """Description of the child's end, for messages."""
        return f"{self._child.argv[0]} {self._child.ending}" if self._child is not None else ""

    def signal(self, sig: Signals) -> None:
        """Pass a signal on to the child."""
        if self._child is not None:
            self._child.signal(sig)

    async def _read(self) -> None:
        queries = [self._consul.blocking(source.path, source.params, 0) for source in self._sources]
        self._answers = list(await asyncio.gather(*queries))

    async def _follow(self, number: int) -> int:
        source, (_, index) = self._sources[number], self._answers[number]
        async for answer in self._consul.watch(source.path, source.params, index):
            self._answers[number] = answer, 0
            self._changed.set()
        raise AssertionError("a watch has no end")

    async def _restart_on_change(self, child: Child) -> int:
        while True:
            await self._changed.wait()
            await self._settle()
            if self._environment() == child.env:
                continue
            log.info("the variables have changed")
            async with self._limit.slot(child.argv[0]) as slot:
                variables = self._environment()  # with the changes that came during the wait
                if variables == child.env:
                    slot.skip_hold()
                    continue
                await child.reload(variables)

    async def _settle(self) -> None:
        """Wait until nothing has changed for the minimum of `wait`, at most for its maximum."""
        minimum, maximum = self._settings[WAIT]
        loop = asyncio.get_running_loop()
        latest = loop.time() + maximum
        self._changed.clear()
        while (pause := min(minimum, latest - loop.time())) > 0:
            try:
                await asyncio.wait_for(self._changed.wait(), pause)
            except TimeoutError:
                return
            self._changed.clear()

    def _environment(self) -> dict[str, str]:
        return variables_of(self._settings, self._sources, [answer for answer, _ in self._answers], self._environ)

    def _new_child(self, argv: Sequence[str]) -> Child:
        settings = self._settings
        return Child(
            argv,
            self._environment(),
            rng=self._rng,
            kill_signal=settings[EXEC_KILL_SIGNAL] or Signals.SIGKILL,
            kill_timeout=settings[EXEC_KILL_TIMEOUT],
            reload_signal=settings[EXEC_RELOAD_SIGNAL],
            splay=settings[EXEC_SPLAY],
            foreground=has_terminal(),
        )


async def _first(*jobs: Any) -> int:
    """Return the result, or raise the error, of the job that is done first; cancel the others."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        # Errors come first: a child that could not be restarted has a status as well.
        failed = [task for task in tasks if task in done and task.exception() is not None]
        return int(next(iter(failed or done)).result())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
