"""The reconciliation: looks at the containers and at what is registered, and writes the difference.

A look follows each event of the engine, each return of engine or agent, and -resync. Events say when to look, not what to do;
the one exception is `kill`: that a container has been asked to end is told by nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pyconsul.tools.consul.client import ConsulError
from pyconsul.tools.registrator.connections import Backoff
from pyconsul.tools.registrator.desired.containers import Container, State, signal_number
from pyconsul.tools.registrator.desired.diff import Memory, Options, Plan, Register, Report
from pyconsul.tools.registrator.desired.metadata import one_line
from pyconsul.tools.registrator.desired.services import Rules
from pyconsul.tools.registrator.engine import Engine, EngineError
from pyconsul.tools.registrator.operations import Write, describe, subject
from pyconsul.tools.registrator.registries import NO_ANSWER, Look, Registry

log = logging.getLogger("registrator")

#: How long services of an earlier run stay after the start whose containers are gone: a container that is being replaced takes
#: its service over, instead of removing it for a moment.
EARLY_S = 3.0
#: How long a container may take to end after it has been asked to, until its service is back in operation.
STOP_LIMIT_S = 300.0
#: Between two looks at Podman's list of containers: it has no event for a container that is being stopped.
STATES_S = 0.5
#: Between a refused write and the next one.
REFUSED_S = 5.0
_TERM = signal_number("TERM")
_SCRIPTS = "disabled"
#: Events that change nothing about services; those of `docker exec`, HEALTHCHECK's among them, come often.
_IDLE = ("exec_", "attach", "commit", "copy", "export", "resize", "top", "create", "archive", "extract")


@dataclass
class Counts:
    """Counters for the metrics."""

    looks: int = 0
    writes: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    events: int = 0
    last_look: float = 0.0


class Reconciler:
    """`resync_s`: between looks without a reason; 0 for none. `beat_s`: between renewals of TTL checks, or of the session."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        rules: Rules,
        options: Options,
        *,
        resync_s: float = 0.0,
        beat_s: float = 180.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self.rules = rules
        self._options = options
        self._resync_s = resync_s
        self._beat_s = beat_s
        self._now = now
        self._wake = asyncio.Event()
        self._everything = True
        self._changed: set[str] = set()
        self._backoff = Backoff(0.25, 10.0)
        self._refused_backoff = Backoff(REFUSED_S, 60.0)
        self._early_until = now() + EARLY_S
        self._retry_at = 0.0
        self._resync_at = now() + resync_s if resync_s else 0.0
        self._adopted = False
        self._seen: set[str] = set()
        self._stopping: dict[str, float] = {}
        self._started: set[str] = set()
        self._refused: dict[str, set[str]] = {}
        self._warned: dict[str, set[str]] = {}
        #: For the status pages.
        self.containers: dict[str, Container] = {}
        self.plan = Plan((), {}, {})
        self.problems: dict[str, str] = {}
        self.refusals: dict[str, str] = {}
        self.trouble = ""
        self.counts = Counts()

    def look_at_all(self, *, forget_refusals: bool = False) -> None:
        """Ask for a look at all containers."""
        self._everything = True
        if forget_refusals:
            self._refused.clear()
            self.refusals.clear()
        self._wake.set()

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Note which container an event of the engine is about, and ask for a look."""
        action = str(event.get("Action") or event.get("status") or "")
        if action.startswith(_IDLE):
            return
        self.counts.events += 1
        actor = event.get("Actor") or {}
        attributes = actor.get("Attributes") or {}
        if event.get("Type") == "network":
            container = str(attributes.get("container") or "")
        else:
            container = str(actor.get("ID") or event.get("id") or "")
        if not container:
            return
        if action == "kill":
            if not self._is_asked_to_end(container, str(attributes.get("signal") or "")):
                return
            self._stopping[container] = self._now() + STOP_LIMIT_S
        elif action in ("die", "start"):
            self._stopping.pop(container, None)
            if action == "start":
                self._started.add(container)
        self._changed.add(container)
        self._wake.set()

    def _is_asked_to_end(self, container: str, signal: str) -> bool:
        known = self.containers.get(container)
        return signal_number(signal) in (_TERM, known.stop_signal if known is not None else _TERM)

    async def run(self) -> None:
        """Look whenever there is a reason to, for ever."""
        while True:
            await self._next_reason()
            try:
                await self.look()
            except (EngineError, ConsulError) as error:
                self._note_failure(str(error))
            except Exception as error:  # a defect must not end the program: the next look may be without it
                if repr(error) != self.trouble:
                    log.exception("a comparison failed")
                self._note_failure(repr(error), logged=True)

    def _note_failure(self, trouble: str, *, logged: bool = False) -> None:
        """Look again soon. The same trouble is logged once."""
        self.counts.failures += 1
        self._everything = True
        if trouble != self.trouble and not logged:
            log.warning("cannot reconcile, trying again: %s", trouble)
        self.trouble = trouble
        self._retry_at = self._now() + self._backoff.delay()

    async def keep_alive(self) -> None:
        """Renew what ends by itself. It goes on while the engine is away: registrator itself is there."""
        while True:
            await asyncio.sleep(self._beat_s)
            try:
                await self._registry.beat(self.plan)
            except ConsulError as error:
                log.debug("cannot renew the TTL: %s", error)
                self.look_at_all()

    async def watch_states(self) -> None:
        """Ask for a look when Podman begins to stop a container, which none of its events tells."""
        while True:
            await asyncio.sleep(STATES_S)
            with suppress(EngineError):  # the stream of events reports an engine that is away
                self.note_stopping(await self._engine.list_stopping())

    def note_stopping(self, containers: frozenset[str]) -> None:
        """Ask for a look at the containers that are not known to be stopping."""
        known = {one.id for one in self.containers.values() if one.state is State.STOPPING}
        if new := containers - known:
            self._changed |= new
            self._wake.set()

    async def _next_reason(self) -> None:
        """Wait for an event, or for the next of the deadlines."""
        deadlines = [at for at in (self._retry_at, self._resync_at, *self._stopping.values()) if at]
        if self.plan.postponed:
            deadlines.append(self._early_until)
        wait_s = max(0.0, min(deadlines) - self._now()) if deadlines else None
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()
        now = self._now()
        if self._resync_at and now >= self._resync_at:
            self._resync_at = now + self._resync_s
            self._everything = True
        if self._retry_at and now >= self._retry_at:
            self._retry_at = 0.0

    async def preview(self) -> Look:
        """Return the difference without writing it. Raises EngineError and ConsulError."""
        await self._read_containers()
        return await self._registry.look(list(self.containers.values()), self.rules, self._options, Memory())

    async def look(self) -> None:
        """Look once, and write the difference. Raises EngineError and ConsulError."""
        started = frozenset(self._started)
        await self._read_containers()
        found = await self._registry.look(list(self.containers.values()), self.rules, self._options, self._memory())
        if not self._adopted:
            # A run before this one has put them into maintenance; nothing else says that they are being stopped.
            self._adopted = True
            limit = self._now() + STOP_LIMIT_S
            self._stopping |= dict.fromkeys(found.stopping & self.containers.keys(), limit) | self._stopping
            if found.stopping:
                found = await self._registry.look(
                    list(self.containers.values()), self.rules, self._options, self._memory()
                )
        self.plan = found.plan
        self._report_warnings()
        await self._make(found.writes)
        self._started -= started
        self.counts.looks += 1
        self.counts.last_look = time.time()
        if self.trouble:
            log.info("reconciled again")
        self.trouble = ""
        self._backoff.reset()

    def _memory(self) -> Memory:
        now = self._now()
        self._stopping = {one: limit for one, limit in self._stopping.items() if limit > now}
        refused = {service: frozenset(digests) for service, digests in self._refused.items()}
        stopping, started = frozenset(self._stopping), frozenset(self._started)
        return Memory(refused, stopping, started, frozenset(self._seen), now < self._early_until)

    async def _read_containers(self) -> None:
        """Bring `containers` up to date: all of them, or those that events have named."""
        everything, changed = self._everything, self._changed
        self._everything, self._changed = False, set()
        try:
            there = await self._engine.list_ids(ended=self._options.keep_failed)
            stale = [one for one in there if everything or one in changed or one not in self.containers]
            read = {one.id: one for one in await self._engine.inspect_all(stale)}
        except EngineError:
            self._everything = True
            raise
        kept = {one: self.containers[one] for one in there if one in self.containers and one not in stale}
        self.containers = kept | read
        self._seen |= self.containers.keys()
        self._stopping = {one: limit for one, limit in self._stopping.items() if one in self.containers}

    async def _make(self, writes: Sequence[Write]) -> None:
        """Make the writes: one that fails keeps no other from being made. Raises ConsulError when the agent is away or broken."""
        problems: dict[str, str] = {}
        failure: ConsulError | None = None
        for write in writes:
            about = subject(write)
            if about in problems:
                continue
            try:
                await self._registry.write(write)
            except ConsulError as error:
                if error.status == NO_ANSWER:
                    raise
                problems[about] = str(error)
                if _is_refusal(error):
                    self._note_refusal(write, error)
                else:
                    failure = failure or error
                continue
            self.counts.writes[type(write).__name__.lower()] += 1
            log.log(logging.DEBUG if isinstance(write, Report) else logging.INFO, "%s", describe(write))
        self.problems = problems
        if failure is not None:
            raise failure
        if problems:
            self._retry_at = self._now() + self._refused_backoff.delay()
        else:
            self._refused_backoff.reset()

    def _note_refusal(self, write: Write, error: ConsulError) -> None:
        about = subject(write)
        if self.problems.get(about) != str(error):
            log.warning("refused: %s: %s", describe(write), one_line(str(error)))
        if isinstance(write, Register) and error.status != 403:
            self._refused.setdefault(about, set()).add(write.service.digest)
            self.refusals[about] = f"the agent has refused the settings as they are, others are tried: {error}"

    def problem_of(self, service: str) -> str:
        """Return why a service is not registered as it should be; empty without a problem."""
        return self.problems.get(service) or self.refusals.get(service, "")

    def _report_warnings(self) -> None:
        """Log each warning about a container once."""
        gone = self._warned.keys() - self.plan.outcomes.keys()
        for container in gone:
            del self._warned[container]
        for container, outcome in self.plan.outcomes.items():
            known = self._warned.setdefault(container, set())
            for warning in (one for one in outcome.warnings if one not in known):
                known.add(warning)
                log.warning("container %s: %s", self.containers[container].name, one_line(warning))


def _is_refusal(error: ConsulError) -> bool:
    """Return whether the agent works, and does not take this write."""
    return (300 <= error.status < 500 and error.status != 429) or (error.status == 500 and _SCRIPTS in str(error))
