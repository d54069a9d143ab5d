"""A run of pyenvconsul: which changes restart the child, and with which variables."""

from __future__ import annotations

import asyncio
import base64
import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.eventually import eventually_async

from pyconsul.tools.envconsul.options import OPTIONS
from pyconsul.tools.envconsul.runner import Runner
from pyconsul.tools.envconsul.sources import sources_of
from pyconsul.tools.options.settings import load_settings, parse_flags
from pyconsul.tools.restart_limit import Limit, RestartSlot, Unlimited


def pairs(value: str) -> list[dict[str, Any]]:
    return [{"Key": "app/v", "Value": base64.b64encode(value.encode()).decode(), "Flags": 0}]


class Consul:
    """One prefix with one key, whose values the test gives."""

    def __init__(self) -> None:
        self._values: asyncio.Queue[str] = asyncio.Queue()

    async def blocking(self, path: str, params: Mapping[str, str], index: int) -> tuple[Any, int]:
        return pairs("1"), 1

    async def watch(self, path: str, params: Mapping[str, str], index: int) -> AsyncIterator[Any]:
        while True:
            yield pairs(await self._values.get())
            self._values.task_done()

    async def change(self, value: str) -> None:
        """Return when the runner knows the value."""
        self._values.put_nowait(value)
        await self._values.join()


class ManualLimit:
    """A limit that the test opens."""

    def __init__(self) -> None:
        self.requested, self.open = asyncio.Event(), asyncio.Event()
        self.slots: list[RestartSlot] = []

    @asynccontextmanager
    async def slot(self, name: str) -> AsyncIterator[RestartSlot]:
        self.requested.set()
        await self.open.wait()
        slot = RestartSlot(5.0)
        yield slot
        self.slots.append(slot)


class Run:
    """A runner whose child writes its variable into a file."""

    def __init__(self, folder: Path, consul: Consul, limit: Limit) -> None:
        self.file = folder / "starts"
        settings = load_settings(OPTIONS, parse_flags(OPTIONS, ["-prefix", "app"]), {})
        environ = {"PATH": os.environ["PATH"]}
        self.runner = Runner(settings, sources_of(settings, {}), environ, random.Random(1), consul, limit)
        self._task: asyncio.Task[int] | None = None

    async def __aenter__(self) -> Run:
        # The trap keeps a SIGINT that comes while the shell starts a program.
        command = f"trap exit INT; echo $v >> {self.file}; while :; do sleep 0.02; done"
        self._task = asyncio.create_task(self.runner.run(["sh", "-c", command]))
        await self.until("1\n")
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.runner.stop()

    async def until(self, starts: str) -> None:
        await eventually_async(lambda: self.file.exists() and self.file.read_text() == starts)


async def test_a_change_restarts_the_child(tmp_path: Path) -> None:
    consul = Consul()
    async with Run(tmp_path, consul, Unlimited()) as run:
        await consul.change("2")
        await run.until("1\n2\n")


async def test_changes_during_the_wait_are_one_restart(tmp_path: Path) -> None:
    consul, limit = Consul(), ManualLimit()
    async with Run(tmp_path, consul, limit) as run:
        await consul.change("2")
        await limit.requested.wait()
        await consul.change("3")
        limit.open.set()
        await run.until("1\n3\n")
    assert run.file.read_text() == "1\n3\n"
    assert [slot.hold_s for slot in limit.slots] == [5.0]


async def test_a_change_that_is_undone_during_the_wait_restarts_nothing(tmp_path: Path) -> None:
    consul, limit = Consul(), ManualLimit()
    async with Run(tmp_path, consul, limit) as run:
        await consul.change("2")
        await limit.requested.wait()
        await consul.change("1")
        limit.open.set()
        await eventually_async(lambda: limit.slots)
    assert run.file.read_text() == "1\n"
    assert limit.slots[0].hold_s == 0.0, "the slot is free at once"


def test_no_child_before_the_run() -> None:
    settings = load_settings(OPTIONS, parse_flags(OPTIONS, ["-prefix", "app"]), {})
    runner = Runner(settings, [], {}, random.Random(1), Consul(), Unlimited())
    assert runner.ending == ""
    assert asyncio.run(runner.stop()) is None
