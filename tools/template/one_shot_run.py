"""Runs with -once without an event loop: evaluate, query missing lookups, evaluate again, write.

asyncio and httpx take longer to load than all of that takes. Whatever goes beyond it (an error of Consul, a key that does
not exist yet, a command, a reload signal) is left to the watching run, which continues from a `Handover`.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from pyconsul.agent.common.lazy_log import LazyLog
from pyconsul.tools.consul.connection import ConsulError
from pyconsul.tools.consul.one_shot_client import OneShotClient
from pyconsul.tools.consul.retry import LazyRandom, RetryPolicy
from pyconsul.tools.exit_codes import Exit
from pyconsul.tools.options.child import EXEC_COMMAND
from pyconsul.tools.options.connection import connection_of
from pyconsul.tools.options.restart_limit import RESTART_LIMIT
from pyconsul.tools.options.run import KILL_SIGNAL, MAX_STALE, RELOAD_SIGNAL
from pyconsul.tools.process.signals import caught_signals, uncatchable
from pyconsul.tools.template.deploy.contract import CommandError
from pyconsul.tools.template.deploy.deployer import Deployer
from pyconsul.tools.template.deploy.failure_policy import FailurePolicy
from pyconsul.tools.template.deploy.job import pending_changes
from pyconsul.tools.template.deploy.unit import Unit
from pyconsul.tools.template.feed.handover import Handover, warn_of_filtered
from pyconsul.tools.template.interruptible import Interrupted
from pyconsul.tools.template.options.fixture import DATA, RECORD
from pyconsul.tools.template.options.status import STATUS_ADDRESS
from pyconsul.tools.template.options.table import DIFF, DRY, EXEC_RELOAD, ONCE
from pyconsul.tools.template.plan import Plan
from pyconsul.tools.template.report.counters import Counters
from pyconsul.tools.template.report.disclosure import Disclosure

if TYPE_CHECKING:
    from pyconsul.tools.template.deploy.rendering import Rendering
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.spec import Command

log = LazyLog("template")

#: Seconds that an answer may take here; the watching run then asks again, and waits for longer.
_PATIENCE_S = 5.0
#: Settings that need the watching run.
_WATCHING = (DATA, RECORD, STATUS_ADDRESS, EXEC_COMMAND, EXEC_RELOAD, RESTART_LIMIT)


def is_one_shot(plan: Plan) -> bool:
    """Return whether `run_once` can begin to carry out the plan."""
    settings = plan.settings
    if not settings[ONCE] or any(settings[key] for key in _WATCHING):
        return False
    if os.environ.get("NOTIFY_SOCKET"):
        return False
    return all(
        isinstance(source, Unit) and all(rendering.evaluator.guard is None for rendering in source.renderings)
        for source in plan.deployables
    )


def run_once(plan: Plan) -> int | Handover:
    """Render all templates once; returns the exit status, or the state that the watching run continues from.

    Raises TemplateError and RenderError for what ends the program, ConfigError for a signal that cannot be caught.
    """
    handover = Handover()
    interrupts = _Interrupts(plan, handover.signals)
    try:
        client = OneShotClient(
            connection_of(plan.settings),
            retry=RetryPolicy(enabled=False),
            max_stale=plan.settings[MAX_STALE],
            patience_s=_PATIENCE_S,
        )
    except ConsulError:
        return handover
    try:
        return Exit.OK if _OneShotRun(plan, client, handover, interrupts).run() else handover
    except Interrupted:
        if handover.signals[-1] not in interrupts.ending:
            return handover
        print("Cleaning up...", file=sys.stderr)
        return Exit.INTERRUPT
    finally:
        client.close()


class _Interrupts:
    """Catches signals: notes them in `signals`, and raises Interrupted where the run may stop."""

    def __init__(self, plan: Plan, signals: list[Signals]) -> None:
        self._signals = signals
        self._stopping: Collection[Signals] = ()
        #: Signals that end the program.
        self.ending = {plan.settings[KILL_SIGNAL] or Signals.SIGTERM, Signals.SIGTERM}
        #: Those, and the one that reads the configuration again.
        self.leaving = {*self.ending, plan.settings[RELOAD_SIGNAL] or Signals.SIGTERM}
        for sig in caught_signals(plan.settings):
            try:
                signal.signal(sig, self._catch)
            except (ValueError, OSError) as error:
                raise uncatchable(sig) from error

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(Signals(number))
        self._leave()

    def _leave(self) -> None:
        if (found := next((sig for sig in self._signals if sig in self._stopping), None)) is not None:
            self._signals.remove(found)
            self._signals.append(found)
            raise Interrupted(found.name)

    @contextmanager
    def raising(self, signals: Collection[Signals]) -> Iterator[None]:
        """While the block runs, these signals raise Interrupted; so do earlier ones."""
        self._stopping = signals
        try:
            self._leave()
            yield
        finally:
            self._stopping = ()


class _NoCommands:
    """Commands are left to the watching run."""

    async def run(self, command: Command) -> NoReturn:
        raise CommandError(f"command {command.shown!r} was not expected")


class _OneShotRun:
    """One run over the plan's units, whose state is that of the watching run, too."""

    def __init__(self, plan: Plan, client: OneShotClient, handover: Handover, interrupts: _Interrupts) -> None:
        settings, answers, counters = plan.settings, handover.answers, Counters()
        self._units = [source for source in plan.deployables if isinstance(source, Unit)]
        self._client = client
        self._handover = handover
        self._answers = answers
        self._interrupts = interrupts
        disclosure = Disclosure(answers, plan.environ.read)
        self._failures = FailurePolicy(counters, disclosure, once=True, must_survive=False)
        self._deployer = Deployer(
            answers,
            _NoCommands(),
            None,
            self._failures,
            disclosure,
            counters,
            LazyRandom(),
            environment={},
            now=time.monotonic,  # the clock of event loops
            once=True,
            dry=settings[DRY],
            diff=settings[DIFF],
            in_thread=_at_once,
        )
        self._shows = bool(settings[DRY])

    def run(self) -> bool:
        """Return whether all is done; False leaves the rest to the watching run."""
        while True:
            self._evaluate()
            due = [unit for unit in self._units if unit.deadline is not None]
            if any(self._needs_watching_run(unit) for unit in due):
                return False
            _finish(self._deployer.deploy(due))
            if all(unit.done for unit in self._units):
                _finish(self._deployer.load())
                return True
            if not self._ask():
                return False

    @property
    def _renderings(self) -> list[Rendering]:
        return [rendering for unit in self._units for rendering in unit.renderings]

    def _needs_watching_run(self, unit: Unit) -> bool:
        """Return whether a unit that is to be written is checked first, or runs commands after it."""
        if self._shows:
            return False
        group = unit.group
        checked = (group is not None and group.check is not None) or any(
            rendering.spec.check is not None for rendering in unit.renderings
        )
        commanded = bool(unit.commands) or any(rendering.spec.command is not None for rendering in unit.renderings)
        return (checked or commanded) and bool(pending_changes(unit))

    def _evaluate(self) -> None:
        now = time.monotonic()
        for unit in self._units:
            with self._interrupts.raising(self._interrupts.ending):
                results = unit.evaluate(self._answers, now)
            for rendering, result in results:
                if result.error is not None:
                    self._failures.report(rendering, result.error)
                self._failures.report_absent(rendering, {one for one in result.missing if self._answers.known(one)})
        self._answers.retain({lookup for rendering in self._renderings for lookup in rendering.used})

    def _ask(self) -> bool:
        """Query the lookups without an answer; returns False without such lookups, or after an error."""
        missing = {lookup for rendering in self._renderings for lookup in rendering.missing}
        asked = sorted((lookup for lookup in missing if not self._answers.known(lookup)), key=str)
        changed: set[Lookup] = set()
        try:
            return bool(asked) and self._ask_all(asked, changed)
        finally:
            now = time.monotonic()
            for unit in self._units:
                unit.notice(changed, now)

    def _ask_all(self, lookups: Iterable[Lookup], changed: set[Lookup]) -> bool:
        for lookup in lookups:
            try:
                with self._interrupts.raising(self._interrupts.leaving):
                    answer = self._answer(lookup)
            except (ConsulError, OSError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                return False  # the watching run queries again and reports the error
            self._answers.put(lookup, answer)
            changed.add(lookup)
        return True

    def _answer(self, lookup: Lookup) -> Any:
        if lookup.kind == "file":
            return Path(lookup.name).read_bytes().decode("utf-8", "surrogateescape")
        filtered = functools.partial(warn_of_filtered, lookup, self._handover.filtered)
        return lookup.decode(self._client.read(lookup.path, lookup.query, filtered))


async def _at_once(work: Callable[[], Any]) -> Any:
    """Do the work here: nothing else waits in a one-shot run."""
    return work()


def _finish(deployment: Coroutine[Any, Any, Any]) -> None:
    """Run a deployment that has nothing to wait for, since it runs no program."""
    try:
        deployment.send(None)
    except StopIteration:
        return
    raise AssertionError("a one-shot run cannot wait")
