"""Actions on instances, one or many: maintenance and its end, and deregistration; each reports what became of every instance."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from urllib.parse import urlencode

from pyconsul.agent.reads import health
from pyconsul.agent.ui.contract import Action, Field, Outcome, Question, Refused
from pyconsul.agent.ui.pages.services.owners import AGENT, AWAY, CATALOG, Owner, Target, owners, targets
from pyconsul.agent.ui.shown import plural
from pyconsul.agent.ui.visit import Visit

AT_ONCE = 16  # requests
NAMED = 8  # instances that a question names
COMMANDS = 5  # commands that a question shows
FAILURES = 4  # failures that the next page names


@dataclass(frozen=True, slots=True)
class Plan:
    """The instances of an action by their owner."""

    held: Sequence[Target]
    in_catalog: Sequence[Target]
    away: Sequence[Target]
    owners: Mapping[Target, Owner]

    @property
    def all(self) -> list[Target]:
        """Return all instances."""
        return [*self.held, *self.in_catalog, *self.away]


async def _plan(visit: Visit) -> Plan:
    chosen = targets(visit)
    found = await owners(visit, chosen)
    held, in_catalog, away = (
        [target for target in chosen if found[target].kind == kind] for kind in (AGENT, CATALOG, AWAY)
    )
    return Plan(held, in_catalog, away, found)


def named(chosen: Sequence[Target]) -> str:
    """Return a name for instances: that of one alone, or their number."""
    if len(chosen) == 1:
        return str(chosen[0])
    services = {target.service for target in chosen}
    return (
        f"{plural(len(chosen), 'instance')} of {services.pop() if len(services) == 1 else f'{len(services)} services'}"
    )


def listed(chosen: Sequence[Target]) -> str:
    """Return the names of instances, the first ones of many."""
    names = ", ".join(map(str, chosen[:NAMED]))
    return names if len(chosen) <= NAMED else f"{names} and {len(chosen) - NAMED:,} more"


def _carried(chosen: Sequence[Target]) -> tuple[tuple[str, str], ...]:
    return tuple(("on", target.key) for target in chosen)


def _missing(visit: Visit, chosen: Sequence[Target]) -> str:
    """Return the first rule that the caller lacks to change these instances."""
    services = dict.fromkeys(target.service for target in chosen)
    return next((text for name in services if (text := visit.lacks("service:write", name))), "")


def _commands(chosen: Sequence[Target], command: Callable[[Target], str]) -> str:
    lines = [command(target) for target in chosen[:COMMANDS]]
    return "\n".join(lines if len(chosen) <= COMMANDS else [*lines, f"# and {len(chosen) - COMMANDS} more like these"])


# Maintenance


async def ask_maintenance(visit: Visit) -> Question:
    """Ask before instances are put into maintenance."""
    plan = await _plan(visit)
    chosen = plan.held or plan.all
    name = named(chosen)
    sentences = ["They are critical then, so that DNS and load balancers leave them out. Nothing is stopped."]
    if len(chosen) == 1:
        sentences = ["It is critical then, so that DNS and load balancers leave it out. Nothing is stopped."]
    else:
        sentences.append(f"{listed(chosen)}.")
    return Question(
        f"Put {name} into maintenance?",
        (*sentences, *_remaining(visit, chosen), *_unable(plan)),
        f"Put {name} into maintenance",
        _commands(
            chosen,
            lambda one: f'pyconsul maint -node {quote(one.node)} -enable -service {quote(one.id)} -reason "…"',
        ),
        fields=(Field("reason", "Reason", hint="Shown as the notes of the check."),),
        lacks=_missing(visit, chosen) or _nothing_held(plan),
        carry=_carried(chosen),
    )


def _remaining(visit: Visit, chosen: Sequence[Target]) -> list[str]:
    """Return a warning for each service that has no healthy instance left then."""
    gone = {(target.node, target.id) for target in chosen}
    found = []
    for name in dict.fromkeys(target.service for target in chosen):
        rows = health.instances(visit.view, visit.caller, name, passing=True).value
        left = [one for one in rows if (one.node.node, one.service.id) not in gone]
        if rows and not left:
            found.append(f"No healthy instance of {name} is left then.")
    return found[:NAMED]


def _unable(plan: Plan) -> list[str]:
    """Return what cannot be put into maintenance, and why."""
    found = []
    if plan.in_catalog:
        found.append(
            f"Not possible for {listed(plan.in_catalog)}: the entry belongs to the catalog only. Maintenance is kept by the "
            "agent that holds a service, and no agent holds this one."
        )
    if plan.away:
        reason = plan.owners[plan.away[0]].reason
        found.append(f"Not possible now for {listed(plan.away)}: {reason}.")
    return found


def _nothing_held(plan: Plan) -> str:
    return "" if plan.held else "no agent that holds it can be asked"


async def begin_maintenance(visit: Visit) -> Outcome:
    """Put instances into maintenance."""
    reason = visit.form.get("reason", "").strip() or None

    async def one(target: Target) -> None:
        await visit.send(
            "PUT",
            f"/v1/agent/service/maintenance/{target.id}",
            enable="true",
            reason=reason,
            node=target.node,
            failed=f"{target} was not put into maintenance",
        )

    return await _carry_out(visit, await _plan(visit), one, "is in maintenance", "are in maintenance")


async def ask_end(visit: Visit) -> Question:
    """Ask before the maintenance of instances ends."""
    plan = await _plan(visit)
    chosen = plan.held or plan.all
    name = named(chosen)
    sentences = ["Their own checks count again." if len(chosen) > 1 else "Its own checks count again."]
    if len(chosen) > 1:
        sentences.append(f"{listed(chosen)}.")
    return Question(
        f"End the maintenance of {name}?",
        (*sentences, *_unable(plan)),
        f"End the maintenance of {name}",
        _commands(
            chosen,
            lambda one: f"pyconsul maint -node {quote(one.node)} -disable -service {quote(one.id)}",
        ),
        lacks=_missing(visit, chosen) or _nothing_held(plan),
        carry=_carried(chosen),
    )


async def end_maintenance(visit: Visit) -> Outcome:
    """End the maintenance of instances."""

    async def one(target: Target) -> None:
        await visit.send(
            "PUT",
            f"/v1/agent/service/maintenance/{target.id}",
            enable="false",
            node=target.node,
            failed=f"The maintenance of {target} has not ended",
        )

    return await _carry_out(visit, await _plan(visit), one, "is back", "are back")


# Deregistration


async def ask_deregister(visit: Visit) -> Question:
    """Ask before instances are deregistered: by their agents, or from the catalog alone."""
    plan = await _plan(visit)
    name = named(plan.all)
    fields: tuple[Field, ...] = ()
    if plan.away:
        fields = (
            Field(
                "away",
                "Remove from the catalog, too, what belongs to an agent that does not answer",
                "checkbox",
                hint="It returns as soon as that agent is back.",
            ),
        )
    return Question(
        f"Deregister {name}?",
        (*_effects(plan), *_remaining(visit, plan.all)),
        f"Deregister {name}",
        _commands(plan.all, lambda one: _command(visit, one, plan.owners[one])),
        destructive=True,
        fields=fields,
        lacks=_missing(visit, plan.all),
        carry=_carried(plan.all),
    )


def _effects(plan: Plan) -> list[str]:
    """Return what becomes of the instances, and what returns by itself."""
    found = []
    if plan.held:
        found.append(
            f"Deregistered by the agent that holds it, with its checks: {listed(plan.held)}. A service that a configuration "
            "file defines returns when its agent reloads or restarts."
        )
    servers = [target for target in plan.in_catalog if target.service == "consul"]
    others = [target for target in plan.in_catalog if target.service != "consul"]
    if others:
        found.append(
            f"Removed from the catalog: {listed(others)}. The entry belongs to the catalog only, no agent holds it; it stays "
            "away until the program that has registered it does so again."
        )
    if servers:
        found.append(
            f"Removed from the catalog: {listed(servers)}. The leader registers the running servers again by itself."
        )
    if plan.away:
        reason = plan.owners[plan.away[0]].reason
        found.append(f"Not reachable: {listed(plan.away)} ({reason}).")
    return found


def _command(visit: Visit, target: Target, owner: Owner) -> str:
    if owner.kind == AGENT:
        return f"pyconsul services deregister -node {quote(target.node)} -id {quote(target.id)}"
    body = json.dumps({"Node": target.node, "ServiceID": target.id}, ensure_ascii=False)
    return f"curl -X PUT -d {quote(body)} {visit.api}/v1/catalog/deregister"


async def deregister(visit: Visit) -> Outcome:
    """Deregister instances."""
    plan = await _plan(visit)
    failed = "{} was not deregistered"

    async def one(target: Target) -> None:
        owner = plan.owners[target]
        title = failed.format(target)
        if owner.kind == AGENT:
            path = f"/v1/agent/service/deregister/{target.id}"
            await visit.send("PUT", path, node=target.node, failed=title)
        elif owner.kind == CATALOG or visit.form.get("away") == "true":
            body = {"Datacenter": visit.datacenter, "Node": target.node, "ServiceID": target.id}
            await visit.send("PUT", "/v1/catalog/deregister", body, failed=title)
        else:
            raise Refused(title, owner.reason, "Tick the box to remove it from the catalog, too.", status=503)

    outcome = await _carry_out(visit, plan, one, "is deregistered", "are deregistered")
    name = visit.names.get("name")
    if name is not None and not health.instances(visit.view, visit.caller, name).value:
        return Outcome(outcome.text, visit.links.to("services"), outcome.failures)
    if "id" in visit.names:
        return Outcome(outcome.text, visit.links.to("services", name, "instances"), outcome.failures)
    return outcome


# All of them


async def _carry_out(
    visit: Visit, plan: Plan, work: Callable[[Target], Awaitable[None]], one: str, many: str
) -> Outcome:
    """Do something to each instance; return what became of them.  Raises Refused if it failed for all."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def attempt(target: Target) -> Refused | None:
        async with slots:
            try:
                await work(target)
            except Refused as error:
                return error
        return None

    chosen = plan.all
    results = await asyncio.gather(*map(attempt, chosen))
    errors = [error for error in results if error is not None]
    done = [target for target, error in zip(chosen, results, strict=True) if error is None]
    if not done:
        first = errors[0]
        more = f" The same happened to {len(errors) - 1} more." if len(errors) > 1 else ""
        raise Refused(first.title, (first.reason + more).strip(), first.advice, status=first.status)
    page = _without_selection(visit)
    if len(chosen) == 1:
        return Outcome(f"{done[0]} {one}.", page)
    failures = [f"{error.title}: {error.reason}" for error in errors[:FAILURES]]
    if len(errors) > FAILURES:
        failures.append(f"{len(errors) - FAILURES} more were not carried out.")
    verb = one if len(done) == 1 else many
    text = f"{len(done):,} of {len(chosen):,} instances {verb}." if errors else f"{len(done):,} instances {verb}."
    return Outcome(text, page, tuple(failures))


def _without_selection(visit: Visit) -> str:
    """Return the address of the page, without the rows that were selected."""
    path = visit.request.target.decode("latin-1").partition("?")[0]
    kept = [(name, value) for name, value in visit.params.items() if name not in ("do", "on", "service")]
    return path + (f"?{urlencode(kept)}" if kept else "")


ACTIONS: Mapping[str, Action] = {
    "maintenance": Action(begin_maintenance, ask_maintenance),
    "maintenance-end": Action(end_maintenance, ask_end),
    "deregister": Action(deregister, ask_deregister),
}
