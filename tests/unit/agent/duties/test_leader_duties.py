"""Duties start and stop with the leadership of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.eventually import one_turn

from pyconsul.agent.duties.leader_duties import AlwaysLeader, LeaderDuties


class Elections:
    """A leadership that a test changes."""

    def __init__(self, leads: bool = False) -> None:
        self.leads = leads
        self.listeners: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None], /) -> None:
        self.listeners.append(listener)

    def change(self, leads: bool) -> None:
        self.leads = leads
        for listener in self.listeners:
            listener()


class Job:
    """A duty that records what happens to it; while `gate` is closed it takes its time."""

    def __init__(self, name: str, record: list[str], error: Exception | None = None) -> None:
        self.name, self.record, self.error = name, record, error
        self.running = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    async def start(self) -> None:
        if self.error is not None:
            raise self.error
        self.entered.set()
        await self.gate.wait()
        assert not self.running
        self.running = True
        self.record.append(f"+{self.name}")

    async def stop(self) -> None:
        if self.running:
            self.running = False
            self.record.append(f"-{self.name}")


async def settle() -> None:
    """Let all tasks but this one end."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


async def test_a_single_server_does_all_duties_until_it_stops() -> None:
    record: list[str] = []
    duties = LeaderDuties(AlwaysLeader(), [Job("a", record), Job("b", record)])
    await duties.start()
    assert record == ["+a", "+b"]
    await duties.stop()
    assert record == ["+a", "+b", "-b", "-a"]


async def test_duties_follow_a_leadership_that_comes_and_goes() -> None:
    record: list[str] = []
    elections = Elections()
    duties = LeaderDuties(elections, [Job("a", record), Job("b", record)])
    await duties.start()
    assert record == []
    for leads, expected in ((True, ["+a", "+b"]), (False, ["-b", "-a"]), (True, ["+a", "+b"])):
        elections.change(leads)
        await settle()
        assert record == expected
        record.clear()
    await duties.stop()
    assert record == ["-b", "-a"]
    elections.change(False)
    elections.change(True)
    await settle()
    assert record == ["-b", "-a"], "a stopped server does no duties, whatever it is elected to"


async def test_a_duty_that_cannot_start_does_not_keep_others_from_it(caplog: pytest.LogCaptureFixture) -> None:
    record: list[str] = []
    duties = LeaderDuties(AlwaysLeader(), [Job("bad", record, ValueError("no")), Job("good", record)])
    await duties.start()
    assert record == ["+good"]
    assert "a duty of the leader could not be started: Job" in caplog.text
    await duties.stop()
    assert record == ["+good", "-good"]


async def test_a_start_that_hangs_ends_with_the_leadership() -> None:
    record: list[str] = []
    elections = Elections(leads=True)
    jobs = [Job("a", record), Job("hangs", record), Job("c", record)]
    jobs[1].gate.clear()
    duties = LeaderDuties(elections, jobs)
    starting = asyncio.create_task(duties.start())
    await jobs[1].entered.wait()
    elections.change(False)
    await starting
    await settle()
    assert record == ["+a", "-a"]
    await duties.stop()


@given(st.lists(st.booleans(), max_size=12), st.integers(0, 3))
def test_the_last_election_decides(elected: list[bool], steps: int) -> None:
    async def play() -> None:
        record: list[str] = []
        elections = Elections()
        job = Job("a", record)
        duties = LeaderDuties(elections, [job])
        await duties.start()
        for leads in elected:
            elections.change(leads)
            for _ in range(steps):
                await one_turn()
        await settle()
        assert job.running is bool(elected and elected[-1])
        assert record == ["+a", "-a"] * (len(record) // 2) + ["+a"] * (len(record) % 2)
        await duties.stop()
        assert not job.running

    asyncio.run(play())
