"""Runs all checks of one agent: one timer for the earliest deadline, one task for each run, never two runs of the same check.

A check that hangs occupies only its own slot; the number of slots for each kind is far above what a healthy machine needs.
As in Consul, a check that is replaced by one of another kind goes on running beside it, until the check is removed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from random import Random

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.health.alias import AliasIndex, AliasView, AliasViews, alias_result
from pyconsul.agent.health.definition import (
    DEFAULT_OUTPUT_SIZE,
    CheckDefinition,
    check_type,
    output_limit,
    seconds_between,
)
from pyconsul.agent.health.runners.report import log_status, raise_without_descriptors
from pyconsul.agent.health.runners.result import LocalFault, Result
from pyconsul.agent.health.runners.run import Runners
from pyconsul.agent.health.runners.tls import ContextMaker, check_context
from pyconsul.agent.health.thresholds import Thresholds, thresholds_of
from pyconsul.agent.health.timetable import Timetable
from pyconsul.agent.health.ttl import TTLState, limit_report
from pyconsul.agent.model.check import CRITICAL, PASSING

log = logging.getLogger("agent.checks")

Notify = Callable[[str, str, str], None]
Monitor = tuple[str, str]  # key and kind of a check

LOCAL_ALIAS_INTERVAL_S = 60.0  # changes of this node's checks are followed at once
REMOTE_ALIAS_INTERVAL_S = 1.0
MAX_RUNS = 512
LOCAL_FAULT_LOG_S = 60.0
PROCESS_KINDS = frozenset({"script", "docker", "os_service"})


class _Entry:
    """A scheduled check."""

    __slots__ = ("definition", "failing", "kind", "result", "run", "status", "thresholds", "ttl")

    def __init__(self, definition: CheckDefinition, kind: str, status: str, now: float) -> None:
        self.definition = definition
        self.kind = kind
        self.status = status
        self.failing = False  # whether the last result was not passing
        self.thresholds: Thresholds = thresholds_of(definition)
        self.ttl = TTLState(definition.ttl / SECOND_NS, now) if kind == "ttl" else None
        self.run: asyncio.Task[None] | None = None
        self.result: tuple[str, str] | None = None  # of an alias check: its last one


class CheckScheduler:
    """The agent's checks by key.

    notify(key, status, output) is called on the loop for every result that counts; record likewise for every run and report,
    and for every change of an alias check.
    """

    def __init__(
        self,
        notify: Notify,
        rng: Random,
        *,
        record: Notify | None = None,
        alias_views: AliasViews | None = None,
        output_max_size: int = DEFAULT_OUTPUT_SIZE,
        tls_context: ContextMaker = check_context,
    ) -> None:
        self._notify, self._record = notify, record
        self._rng = rng
        self._alias_views = alias_views
        self._output_max_size = output_max_size
        self._runners = Runners(tls_context, output_max_size)
        self._entries: dict[Monitor, _Entry] = {}
        self._kinds: dict[str, set[str]] = {}  # key -> the kinds that run for it
        self._timetable: Timetable[Monitor] = Timetable()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._waiting: dict[bool, deque[Monitor]] = {False: deque(), True: deque()}
        self._running = {False: 0, True: 0}
        self._tasks: set[asyncio.Task[None]] = set()
        self._aliases = AliasIndex()
        self._fault_logged = float("-inf")

    def __contains__(self, key: str) -> bool:
        return key in self._kinds

    def add(self, key: str, definition: CheckDefinition, status: str = "") -> None:
        """Run a check from now on, in place of the one with the same key and kind; an unchanged one keeps its schedule.

        The first run starts at a random moment within the interval.  status: the present one; changes of it are logged.
        Must be called on the loop.
        """
        now = self._now()
        kind = check_type(definition)
        monitor = (key, kind)
        old = self._entries.get(monitor)
        if old is not None and old.definition == definition and old.ttl is None:
            return
        self._stop(monitor)
        entry = self._entries[monitor] = _Entry(definition, kind, status, now)
        self._kinds.setdefault(key, set()).add(kind)
        if entry.ttl is not None:
            self._timetable.put(monitor, entry.ttl.deadline)
        elif kind == "alias":
            self._aliases.add(key, definition)
            self._timetable.put(monitor, now)
        elif kind:
            self._timetable.put(monitor, now + self._rng.random() * seconds_between(definition))
        self.refresh_aliases("", definition.service_id)

    def remove(self, key: str) -> None:
        """Stop running a check; a run under way is canceled and its result discarded."""
        for kind in self._kinds.pop(key, ()):
            self._stop((key, kind))

    def _stop(self, monitor: Monitor) -> None:
        entry = self._entries.pop(monitor, None)
        self._timetable.remove(monitor)
        if entry is None:
            return
        if entry.kind == "alias":
            self._aliases.remove(monitor[0], entry.definition)
        if entry.run is not None:
            entry.run.cancel()
        self.refresh_aliases("", entry.definition.service_id)

    def is_ttl(self, key: str) -> bool:
        """Return whether this is the key of a TTL check."""
        return (key, "ttl") in self._entries

    def ttl_update(self, key: str, status: str, output: str) -> str:
        """Publish a report on a TTL check and restart its TTL.  Returns the output as stored, possibly truncated.

        Raises KeyError when it is not a TTL check.
        """
        entry = self._entries[(key, "ttl")]
        if entry.ttl is None:
            raise KeyError(key)
        kept = limit_report(output, output_limit(entry.definition, self._output_max_size))
        entry.ttl.report(kept, self._now())
        self._timetable.put((key, "ttl"), entry.ttl.deadline)
        self._set_timer()
        self._keep(key, status, kept)
        self._publish(key, entry, status, kept)
        return kept

    def refresh_aliases(self, node: str, service_id: str = "") -> None:
        """Re-evaluate the alias checks that follow a node (empty: this one) whose checks changed."""
        keys = self._aliases.of(node, service_id)
        for key in keys:
            self._timetable.put((key, "alias"), self._now())
        self._set_timer()

    async def stop(self) -> None:
        """Stop all checks, and wait for runs under way to end."""
        for key in list(self._kinds):
            self.remove(key)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _set_timer(self) -> None:
        due = self._timetable.next_due()
        if due is not None and self._timer is not None and self._timer_due <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer_due = due
            self._timer = asyncio.get_running_loop().call_at(due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        for monitor in self._timetable.pop_due(self._now()):
            key, entry = monitor[0], self._entries[monitor]
            if entry.ttl is not None:
                output = entry.ttl.expired_output()
                self._keep(key, CRITICAL, output)
                self._publish(key, entry, CRITICAL, output)
            elif entry.kind == "alias":
                self._follow(key, entry)
            else:
                self._begin(key, entry)
        self._set_timer()

    def _keep(self, key: str, status: str, output: str) -> None:
        if self._record is not None:
            self._record(key, status, output)

    def _publish(self, key: str, entry: _Entry, status: str, output: str) -> None:
        began_failing = status != PASSING and not entry.failing
        entry.failing = status != PASSING
        if status != entry.status or began_failing:
            entry.status = status
            log_status(key, status, output)
        try:
            self._notify(key, status, output)
        except Exception:
            log.exception("taking the result of a check failed", extra={"fields": {"check": key}})
        if entry.kind != "alias":
            self.refresh_aliases("", entry.definition.service_id)

    def _follow(self, key: str, entry: _Entry) -> None:
        """Evaluate an alias check."""
        node, service_id = entry.definition.alias_node, entry.definition.alias_service
        self._timetable.put(
            (key, entry.kind), self._now() + (REMOTE_ALIAS_INTERVAL_S if node else LOCAL_ALIAS_INTERVAL_S)
        )
        views = self._alias_views
        if views is None:
            return
        if not node:
            self._take_alias(key, entry, views.local(service_id, key))
        elif entry.run is None:
            task = entry.run = asyncio.get_running_loop().create_task(self._follow_remote(key, entry, views))
            self._tasks.add(task)
            task.add_done_callback(lambda _: self._end_remote(entry, task))

    async def _follow_remote(self, key: str, entry: _Entry, views: AliasViews) -> None:
        try:
            view = await views.remote(entry.definition.alias_node, entry.definition.alias_service, key)
        except Exception as error:  # the catalog cannot be read at present
            self._log_local_fault(error)
            return
        if self._entries.get((key, entry.kind)) is entry:
            self._take_alias(key, entry, view)

    def _end_remote(self, entry: _Entry, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        entry.run = None

    def _take_alias(self, key: str, entry: _Entry, view: AliasView) -> None:
        result = alias_result(view, entry.definition.alias_node, entry.definition.alias_service)
        if result != entry.result:
            entry.result = result
            self._keep(key, *result)
            self._publish(key, entry, *result)

    def _begin(self, key: str, entry: _Entry) -> None:
        heavy = entry.kind in PROCESS_KINDS
        if entry.run is not None:
            return
        if self._running[heavy] >= MAX_RUNS:
            self._waiting[heavy].append((key, entry.kind))
            return
        self._running[heavy] += 1
        task = entry.run = asyncio.get_running_loop().create_task(self._run(key, entry))
        self._tasks.add(task)
        # A callback: a task that is canceled before its first step runs no `finally`.
        task.add_done_callback(lambda _: self._end(entry, task))

    async def _run(self, key: str, entry: _Entry) -> None:
        result = await self._result(key, entry)
        if self._entries.get((key, entry.kind)) is not entry:
            return
        self._timetable.put((key, entry.kind), self._now() + seconds_between(entry.definition))
        self._set_timer()
        if result is not None:
            self._take(key, entry, result)

    async def _result(self, key: str, entry: _Entry) -> Result | None:
        """Run a check once; None when this machine lacks the resources."""
        try:
            try:
                result = await self._runners.run(entry.kind, entry.definition)
            except Exception as error:
                if isinstance(error, LocalFault):
                    raise
                raise_without_descriptors()
                log.exception("a check could not be run", extra={"fields": {"check": key}})
                return Result(CRITICAL, f"check could not be run: {error}")
            if result.status == CRITICAL:
                raise_without_descriptors()
        except LocalFault as fault:
            self._log_local_fault(fault)
            return None
        return result

    def _take(self, key: str, entry: _Entry, result: Result) -> None:
        if log.isEnabledFor(logging.DEBUG):
            log.debug("check ran: status=%s", result.status, extra={"fields": {"check": key}})
        self._keep(key, result.status, result.output)
        status = entry.thresholds.status_after(result.status)
        if status is not None:
            self._publish(key, entry, status, result.output)
        elif result.status != PASSING and not entry.failing:
            entry.failing = True
            log_status(key, result.status, result.output, kept=entry.status)

    def _log_local_fault(self, fault: Exception) -> None:
        """Log that checks cannot run, at most once a minute."""
        now = self._now()
        if now >= self._fault_logged + LOCAL_FAULT_LOG_S:
            self._fault_logged = now
            hint = " (raise the limit, LimitNOFILE)" if isinstance(fault, LocalFault) else ""
            log.error("checks cannot be run and keep their last status: error=%s%s", fault, hint)

    def _end(self, entry: _Entry, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        entry.run = None
        heavy = entry.kind in PROCESS_KINDS
        self._running[heavy] -= 1
        while self._waiting[heavy]:
            monitor = self._waiting[heavy].popleft()
            waiting = self._entries.get(monitor)
            if waiting is not None and waiting.run is None:
                self._begin(monitor[0], waiting)
                return
