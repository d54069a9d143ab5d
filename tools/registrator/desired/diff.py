"""The difference between the services that containers should have and those that the agent has. Pure.

    plan = diff(containers, registrations, rules)
    plan.operations         # what to write; empty when nothing differs

Only services with registrator's metadata for this engine are changed or removed, and those whose IDs its containers want.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from pyconsul.tools.registrator.desired.containers import Container, State
from pyconsul.tools.registrator.desired.ownership import DRAINED, PAUSED, STOPPING
from pyconsul.tools.registrator.desired.registrations import Registration
from pyconsul.tools.registrator.desired.services import (
    Beat,
    Outcome,
    Rules,
    Service,
    conflicts,
    services_of,
)

#: Exit codes that count as an end in order: success, and the end by a signal.
_SIGNAL_BIT = 128


@dataclass(frozen=True, slots=True)
class Register:
    """Write a service."""

    service: Service
    why: str


@dataclass(frozen=True, slots=True)
class Deregister:
    """Remove a service."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class RemoveCheck:
    """Remove a check that the service does not have any more."""

    check_id: str


@dataclass(frozen=True, slots=True)
class SetMaintenance:
    """Put a service into maintenance with a reason, or end it without one."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """Update a TTL check."""

    beat: Beat


Operation = Register | Deregister | RemoveCheck | SetMaintenance | Report


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a run.

    `refused`: by service, the digests that the agent has refused. `stopping`: IDs of containers that have been asked to end.
    `started`: IDs of those that have been started since the last look. `seen`: IDs of those that this run has seen. `early`:
    right after the start, services of containers that this run has not seen stay for a moment.
    """

    refused: Mapping[str, Set[str]] = field(default_factory=dict)
    stopping: Set[str] = frozenset()
    started: Set[str] = frozenset()
    seen: Set[str] = frozenset()
    early: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """`cleanup`: remove all services with IDs of this host's form. `keep_failed`: keep those of containers that failed."""

    cleanup: bool = False
    keep_failed: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """`operations`: in this order. `wanted`: the services by ID. `outcomes`: of each container, by ID. `postponed`: IDs of
    services that stay for the moment."""

    operations: tuple[Operation, ...]
    wanted: Mapping[str, Service]
    outcomes: Mapping[str, Outcome]
    postponed: tuple[str, ...] = ()


def diff(
    containers: Iterable[Container],
    registrations: Mapping[str, Registration],
    rules: Rules,
    options: Options | None = None,
    memory: Memory | None = None,
) -> Plan:
    """Return what is to be written so that the agent has the services of the containers."""
    options, memory = options or Options(), memory or Memory()
    listed = list(containers)
    by_name = {key: one for one in listed if one.state is not State.ENDED for key in (one.id, one.name)}
    outcomes = {one.id: services_of(one, rules, by_name, one.id in memory.stopping) for one in listed}
    chosen, lost = conflicts(list(outcomes.values()))
    for service, reason in lost:
        outcomes[service.container.id] = _without(outcomes[service.container.id], service, reason)
    wanted: dict[str, Service] = {}
    for first in chosen.values():
        service = _accepted(first, memory.refused.get(first.id, frozenset()))
        if taken := _taken(service, registrations.get(service.id), rules):
            outcomes[service.container.id] = _without(outcomes[service.container.id], service, taken)
        else:
            wanted[service.id] = service
    writes = [one for service in wanted.values() for one in _writes(service, registrations.get(service.id), memory)]
    removals, postponed = _removals(listed, registrations, wanted, rules, options, memory)
    order = sorted((*writes, *removals), key=lambda one: _rank(one, registrations))
    return Plan(tuple(order), wanted, outcomes, postponed)


_ORDER: dict[type, int] = {Deregister: 1, Register: 2, SetMaintenance: 3, RemoveCheck: 4, Report: 5}


def _rank(operation: Operation, registrations: Mapping[str, Registration]) -> int:
    """Return the place in the order. Maintenance comes first: a container that is being stopped must get no more requests."""
    if isinstance(operation, SetMaintenance) and operation.id in registrations:
        return 0
    return _ORDER[type(operation)]


def _accepted(service: Service, refused: Set[str]) -> Service:
    """Return the service in the first form that the agent has not refused; the last one if it has refused all."""
    while service.digest in refused and service.fallback is not None:
        service = service.fallback
    return service


def _taken(service: Service, there: Registration | None, rules: Rules) -> str:
    """Return why a service may not be written: its SERVICE_ID is that of another's service.

    One at the same address is taken over: another registrator has written it.
    """
    if there is None or there.engine or not service.explicit_id:
        return ""
    body = service.body
    if (there.name, there.address, there.port) == (service.name, body["Address"], body["Port"]):
        return ""
    return f"the ID {service.id!r} is that of a service of others; deregister it, or set another SERVICE_ID"


def _without(outcome: Outcome, service: Service, reason: str) -> Outcome:
    services = tuple(one for one in outcome.services if one.id != service.id)
    return Outcome(services, (*outcome.reasons, f"port {service.port}: {reason}"), outcome.warnings)


def _writes(service: Service, there: Registration | None, memory: Memory) -> Iterator[Operation]:
    if why := _difference(service, there):
        yield Register(service, why)
    if there is not None:
        own = (f"service:{service.id}", f"service:{service.id}:healthcheck", f"service:{service.id}:registrator")
        yield from (RemoveCheck(check) for check in own if check in there.checks and check not in service.checks)
    yield from _maintenance(service, there, memory)
    for beat in service.beats:
        state = there.checks.get(beat.check_id) if there is not None else None
        if state is None or (state.status, state.output) != (beat.status, beat.output):
            yield Report(beat)


def _difference(service: Service, there: Registration | None) -> str:
    """Return what differs; empty if nothing does."""
    if there is None:
        return "not registered"
    body = service.body
    fields = {
        "name": (there.name, service.name),
        "tags": (there.tags, tuple(body["Tags"])),
        "address": (there.address, body["Address"]),
        "port": (there.port, body["Port"]),
        "metadata": (dict(there.meta), dict(body["Meta"])),
        "checks": (service.checks <= there.checks.keys(), True),
    }
    return ", ".join(name for name, (one, other) in fields.items() if one != other)


def _maintenance(service: Service, there: Registration | None, memory: Memory) -> Iterator[Operation]:
    """Begin or end registrator's own maintenance; that of others stays."""
    now = there.maintenance if there is not None else None
    if service.maintenance and now is None:
        yield SetMaintenance(service.id, service.maintenance)
    elif (now in (PAUSED, STOPPING) and now != service.maintenance) or (
        now == DRAINED and service.container.id in memory.started
    ):
        yield SetMaintenance(service.id, "")
        if service.maintenance:
            yield SetMaintenance(service.id, service.maintenance)


def _removals(
    containers: list[Container],
    registrations: Mapping[str, Registration],
    wanted: Mapping[str, Service],
    rules: Rules,
    options: Options,
    memory: Memory,
) -> tuple[list[Operation], tuple[str, ...]]:
    failed = {one.id for one in containers if options.keep_failed and has_failed(one)}
    there = {one.id for one in containers if one.state is not State.ENDED}
    known = {(service.container.name, service.name) for service in wanted.values()}
    removals: list[Operation] = []
    postponed: list[str] = []
    for registration in registrations.values():
        if registration.id in wanted:
            continue
        if options.cleanup and _is_dangling(registration, rules.host, known) and registration.container not in failed:
            removals.append(Deregister(registration.id, "no running container has it (-cleanup)"))
        elif registration.engine != rules.engine or not registration.engine:
            continue
        elif registration.container in failed:
            if registration.maintenance in (PAUSED, STOPPING):
                removals.append(SetMaintenance(registration.id, ""))
        elif memory.early and registration.container not in (memory.seen | there):
            postponed.append(registration.id)
        else:
            removals.append(Deregister(registration.id, "its container does not run, or does not want it"))
    return removals, tuple(postponed)


def has_failed(container: Container) -> bool:
    """Return whether a container has ended by itself with an error; an end by a signal is none."""
    ended = container.state is State.ENDED and container.started
    return bool(ended) and container.exit_code != 0 and not container.exit_code & _SIGNAL_BIT


def _is_dangling(registration: Registration, host: str, known: Set[tuple[str, str]]) -> bool:
    """Return whether an ID has the form that registrator gives on this host, and no known service is meant."""
    found = re.fullmatch(re.escape(host) + r":([a-zA-Z0-9][a-zA-Z0-9_.-]+):[0-9]+(:udp)?", registration.id)
    return found is not None and (found[1], registration.name) not in known
