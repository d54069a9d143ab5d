"""The runner: what it watches, when it deploys, and how a run ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, cast

import pytest
from support.eventually import one_turn

from pyconsul.tools.consul.client import ConsulError
from pyconsul.tools.restart_limit import RestartGate
from pyconsul.tools.template.deploy.deployer import Deployer
from pyconsul.tools.template.deploy.failure_policy import FailurePolicy
from pyconsul.tools.template.deploy.rendering import Rendering
from pyconsul.tools.template.deploy.runner import Runner
from pyconsul.tools.template.deploy.stall_reporter import StallReporter
from pyconsul.tools.template.deploy.unit import Unit
from pyconsul.tools.template.evaluate.contract import Evaluation
from pyconsul.tools.template.evaluate.guard import Guard
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.answer_source import AnswerSource
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.feed.lookups import Lookup
from pyconsul.tools.template.feed.share_id import ShareId
from pyconsul.tools.template.report.counters import Counters
from pyconsul.tools.template.report.disclosure import Disclosure
from pyconsul.tools.template.spec import Spec

A, B = lookups.key("a"), lookups.key("b")


class Asks:
    """A template that shows the answers to its lookups."""

    guard: Guard | None = None

    def __init__(self, *asked: Lookup) -> None:
        self.asked = frozenset(asked)

    def evaluate(self, answers: Answers, now: float) -> Evaluation:
        missing = frozenset(one for one in self.asked if not answers.known(one))
        text = "" if missing else " ".join(str(answers.latest(one)) for one in sorted(self.asked, key=str))
        return Evaluation(text, self.asked, missing)


class Source:
    """Answers when a test says so."""

    address = "consul:1"
    reachable = True

    def __init__(self, answers: Answers, news: asyncio.Event) -> None:
        self.answers, self.news = answers, news
        self.watched: set[Lookup] = set()
        self.kept: set[Lookup] = set()
        self.changed: set[Lookup] = set()
        self.failure: ConsulError | None = None
        self.closed = False

    def watch(self, lookups: Iterable[Lookup], share: ShareId | None = None) -> None:
        self.watched |= set(lookups)

    def retain(self, used: Mapping[ShareId | None, Set[Lookup]]) -> None:
        self.kept = {lookup for lookups in used.values() for lookup in lookups}

    def take(self) -> set[Lookup]:
        changed, self.changed = self.changed, set()
        return changed

    async def close(self) -> None:
        self.closed = True

    def give(self, lookup: Lookup, answer: Any) -> None:
        self.answers.put(lookup, answer)
        self.changed.add(lookup)
        self.news.set()

    def fail(self) -> None:
        self.failure = ConsulError("gone")
        self.news.set()


class Written:
    """Takes the place of the deployer: notes the texts."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.loads = 0
        self.came = asyncio.Event()

    async def deploy(self, units: Sequence[Unit]) -> bool:
        for unit in units:
            for rendering in unit.renderings:
                self.texts.append(rendering.data.decode())
                rendering.mark_written()
            unit.succeed()
        self.came.set()
        return False

    async def load(self) -> bool:
        self.loads += 1
        return False


async def at_once(work: Callable[[], Any]) -> Any:
    return work()


class World:
    def __init__(self, *templates: Asks, once: bool = False) -> None:
        self.answers, self.news = Answers(), asyncio.Event()
        self.source, self.written = Source(self.answers, self.news), Written()
        self.used: list[set[Lookup]] = []
        renderings = [Rendering(Spec(f"out{n}", source=f"in{n}"), one) for n, one in enumerate(templates)]
        self.runner = Runner(
            [Unit([rendering], None, wait=False) for rendering in renderings],
            cast(AnswerSource, self.source),
            self.answers,
            self.news,
            cast(Deployer, self.written),
            None,
            FailurePolicy(Counters(), Disclosure(self.answers, {}), once=once, must_survive=False),
            StallReporter(0.0),
            RestartGate(None, self.news.set),
            once=once,
            in_thread=at_once,
            after_pass=self.used.append,
        )

    async def until(self, texts: list[str]) -> None:
        async with asyncio.timeout(10):
            while self.written.texts != texts:
                self.written.came.clear()
                await self.written.came.wait()


async def test_missing_lookups_are_watched_and_files_written_when_all_are_there() -> None:
    world = World(Asks(A, B), once=True)
    running = asyncio.create_task(world.runner.run())
    await one_turn()
    assert world.source.watched == {A, B}
    world.source.give(A, 1)
    await one_turn()
    assert world.written.texts == []
    world.source.give(B, 2)
    assert await running == 0
    assert world.written.texts == ["1 2"]
    assert world.source.closed


async def test_one_template_does_not_wait_for_another() -> None:
    world = World(Asks(A), Asks(B))
    running = asyncio.create_task(world.runner.run())
    await one_turn()
    world.source.give(B, 2)
    await world.until(["2"])
    assert world.written.loads == 0  # nothing is loaded before all files are there
    assert not world.runner.ready
    world.source.give(A, 1)
    await world.until(["2", "1"])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert world.written.loads == 1


async def test_only_templates_whose_answers_change_are_written_again() -> None:
    world = World(Asks(A), Asks(B))
    running = asyncio.create_task(world.runner.run())
    await one_turn()
    world.source.give(A, 1)
    world.source.give(B, 2)
    await world.until(["1", "2"])
    world.source.give(B, 3)
    await world.until(["1", "2", "3"])
    assert world.source.kept == world.used[-1] == {A, B}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_lookup_that_failed_for_good_ends_the_run() -> None:
    world = World(Asks(A))
    running = asyncio.create_task(world.runner.run())
    await one_turn()
    world.source.fail()
    with pytest.raises(ConsulError, match="gone"):
        await running
    assert world.source.closed


async def test_a_new_configuration_keeps_the_answers() -> None:
    world = World(Asks(A))
    running = asyncio.create_task(world.runner.run())
    await one_turn()
    world.source.give(A, 1)
    await world.until(["1"])
    world.runner.adopt([Unit([Rendering(Spec("out9", source="in9"), Asks(A))], None, wait=False)])
    await world.until(["1", "1"])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
