"""Composes a run: lookups are watched, templates evaluated when their data has changed, files deployed.

run:  _pass ─▶ evaluate ─▶ watch missing lookups ─▶ deploy complete files
        ▲                                                   │
        └── news: an answer, a deadline, the consumer's end ◀┘
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from signal import Signals
from typing import TYPE_CHECKING

from pyconsul.tools.template.deploy.fanout import Fanout
from pyconsul.tools.template.interruptible import Interrupted, interruptible

if TYPE_CHECKING:
    from pyconsul.tools.restart_limit import RestartGate
    from pyconsul.tools.template.deploy.contract import Consumer, FileWork
    from pyconsul.tools.template.deploy.deployer import Deployer
    from pyconsul.tools.template.deploy.failure_policy import FailurePolicy
    from pyconsul.tools.template.deploy.rendering import Rendering
    from pyconsul.tools.template.deploy.stall_reporter import StallReporter
    from pyconsul.tools.template.deploy.unit import Unit
    from pyconsul.tools.template.evaluate.contract import Evaluation
    from pyconsul.tools.template.feed.answer_source import AnswerSource
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.feed.share_id import ShareId

log = logging.getLogger("template")


class Runner:
    """`consumer`: None when only commands use the files. `news`: set by the source on each new answer. `ends`: the signals that
    end the program; they interrupt an evaluation. `after_pass`: called with the lookups in use after each pass."""

    def __init__(
        self,
        deployables: Sequence[Unit | Fanout],
        source: AnswerSource,
        answers: Answers,
        news: asyncio.Event,
        deployer: Deployer,
        consumer: Consumer | None,
        failures: FailurePolicy,
        stalls: StallReporter,
        gate: RestartGate,
        *,
        once: bool,
        in_thread: FileWork,
        ends: Collection[Signals] = (),
        after_pass: Callable[[set[Lookup]], None] | None = None,
    ) -> None:
        self.deployables = list(deployables)
        self.consumer = consumer
        self.source = source
        self._answers = answers
        self._news = news
        self._deployer = deployer
        self._failures = failures
        self._stalls = stalls
        self._gate = gate
        self._once = once
        self._in_thread = in_thread
        self._ends = ends
        self._after_pass = after_pass
        self.started = self.now()

    async def run(self) -> int:
        """Return the exit status; without -once only a child's end ends it.

        Raises TemplateError, RenderError, CommandError, LoadError, ConsulError, SpawnError and Refused for what ends
        it badly.
        """
        if self.consumer:
            self.consumer.claim()
        consuming = asyncio.create_task(self.consumer.run()) if self.consumer else None
        if consuming:
            consuming.add_done_callback(lambda _: self._news.set())
        for rendering in self.renderings:  # which a one-shot run may have evaluated
            self.source.watch(rendering.used, rendering.spec.share)
        try:
            while True:
                await self._pass()
                if self._once and self.ready:
                    await self.source.close()
                    return await consuming if consuming else 0
                await self._until_news()
                if consuming and consuming.done():
                    return consuming.result()
                if self.source.failure is not None:
                    raise self.source.failure
        finally:
            if consuming:
                consuming.cancel()
                await asyncio.gather(consuming, return_exceptions=True)
            await self._gate.close()
            await self.source.close()

    @property
    def units(self) -> list[Unit]:
        """The units, in order."""
        return [unit for one in self.deployables for unit in one.units]

    @property
    def _fanouts(self) -> list[Fanout]:
        return [one for one in self.deployables if isinstance(one, Fanout)]

    @property
    def renderings(self) -> list[Rendering]:
        """All templates, unit by unit, and the lists of those with `for_each`."""
        lists = [fanout.rendering for fanout in self._fanouts]
        return lists + [rendering for unit in self.units for rendering in unit.renderings]

    @property
    def used(self) -> set[Lookup]:
        """All lookups whose answers matter to any template."""
        return {lookup for lookups in self._used_by_share.values() for lookup in lookups}

    @property
    def _used_by_share(self) -> dict[ShareId | None, set[Lookup]]:
        used: dict[ShareId | None, set[Lookup]] = {}
        for rendering in self.renderings:
            used.setdefault(rendering.spec.share, set()).update(rendering.used)
        return used

    @property
    def ready(self) -> bool:
        """Return whether each file has been written at least once."""
        return all(one.done for one in self.deployables) and all(unit.done for unit in self.units)

    async def stop(self, *, handover: bool = False) -> None:
        """Stop the consumer; with `handover` leave running what the next run can take over."""
        if self.consumer:
            await self.consumer.stop(handover=handover)

    def release(self, service: str, destination: str = "") -> int:
        """Accept Consul's present data of a service (or a pattern of services) that guards hold, in one template or in
        all; returns the number of released holds."""
        ended = 0
        for rendering in self.renderings:
            guard = rendering.evaluator.guard
            if guard is not None and destination in ("", rendering.spec.destination):
                released = guard.release(service)
                if released:
                    rendering.expire()
                ended += released
        if ended:
            self._news.set()
        return ended

    def signal(self, sig: Signals) -> None:
        """Pass a signal on to the child, if there is one."""
        if self.consumer:
            self.consumer.signal(sig)

    def adopt(self, deployables: Sequence[Unit | Fanout]) -> None:
        """Continue with these templates; the answers, the watches and the child stay."""
        done = {old.spec.destination: old for old in self.renderings if old.done}
        self.deployables = list(deployables)
        for rendering in self.renderings:
            if (old := done.get(rendering.spec.destination)) is not None:
                rendering.adopt(old)
        for fanout in self._fanouts:
            fanout.adopt(done)
        self._news.set()

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()

    async def _until_news(self) -> None:
        deadlines = [*(unit.deadline for unit in self.units), self._stalls.deadline]
        # While a slot is awaited, passed deadlines wait for it.
        past = self.now() if self._gate.is_waiting else float("-inf")
        soonest = min((deadline for deadline in deadlines if deadline is not None and deadline > past), default=None)
        timer = asyncio.get_running_loop().call_at(soonest, self._news.set) if soonest is not None else None
        await self._news.wait()
        self._news.clear()
        if timer:
            timer.cancel()

    async def _pass(self) -> None:
        while any(fanout.needs_manifest for fanout in self._fanouts):
            await self._read_manifests()
        try:
            with interruptible(self._ends):
                self._evaluate(self.now())
        except Interrupted:
            await asyncio.Event().wait()  # The signal itself ends this run.
        await self._save_manifests()
        now = self.now()
        self._stalls.check(self.renderings, now)
        due = [unit for unit in self.units if (unit.deadline or now + 1) <= now]
        if self._gate.is_limited:  # Files that stay as they are need no slot.
            due = await self._deployer.with_changes(due)
        # The first start never waits for a slot.
        if not due or not self.ready or self._gate.request(", ".join(unit.name for unit in due)):
            await self._deploy(due)
        if self._after_pass is not None:
            self._after_pass(self.used)

    async def _read_manifests(self) -> None:
        for fanout in self._fanouts:
            if fanout.needs_manifest:
                await self._in_thread(fanout.read_manifest)

    async def _save_manifests(self) -> None:
        for fanout in self._fanouts:
            if (write := fanout.manifest_write()) is not None:
                await self._in_thread(write)

    async def _deploy(self, due: Sequence[Unit]) -> None:
        restarted = False
        if due:
            restarted = await self._deployer.deploy(due)
            for fanout in self._fanouts:
                fanout.settle()
            await self._save_manifests()
        if self.ready:
            if self.consumer:
                self.consumer.files_ready()
            restarted = await self._deployer.load() or restarted
        self._gate.release(restarted=restarted)

    def _evaluate(self, now: float) -> None:
        if changed := self.source.take():
            for fanout in self._fanouts:
                fanout.notice(changed)
            for unit in self.units:
                unit.notice(changed, now)
        # An evaluation may use known answers, so one may make another possible.
        evaluated = False
        for fanout in self._fanouts:
            if (result := fanout.evaluate(self._answers, now)) is not None:
                self._judge(fanout.rendering, result)
                evaluated = True
        for unit in self.units:
            for rendering, result in unit.evaluate(self._answers, now):
                self._judge(rendering, result)
                evaluated = True
        if evaluated:
            self.source.retain(self._used_by_share)

    def _judge(self, rendering: Rendering, result: Evaluation) -> None:
        if result.error is not None:
            self._failures.report(rendering, result.error)
        self.source.watch(result.missing, rendering.spec.share)
        self._failures.report_guard(rendering, result.guarded)
        guard = rendering.evaluator.guard
        held = {hold.lookup for hold in guard.held} if guard is not None else set()
        self._failures.report_absent(rendering, {one for one in result.missing - held if self._answers.known(one)})
