"""The owner of an instance: the agent that holds it, or the catalog alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from pyconsul.agent.reads import health, overview
from pyconsul.agent.ui.contract import Refused
from pyconsul.agent.ui.pages.services.heartbeats import KEPT_S, NOT_AN_AGENT, TIME_LIMIT_S, unreachable
from pyconsul.agent.ui.visit import Visit

AGENT, CATALOG, AWAY = "agent", "catalog", "away"


@dataclass(frozen=True, slots=True)
class Target:
    """An instance that an action is about."""

    node: str
    id: str
    service: str

    @property
    def key(self) -> str:
        """Return the value of a form field that stands for the instance."""
        return key_of(self.node, self.id)

    def __str__(self) -> str:
        return f"{self.id} on {self.node}"


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of an instance.  kind: AGENT, CATALOG (no agent holds it) or AWAY (its agent does not answer)."""

    kind: str
    reason: str = ""


def key_of(node: str, service_id: str) -> str:
    """Return a text for an instance, in which a slash separates node and ID."""
    return f"{quote(node, safe='')}/{quote(service_id, safe='')}"


def targets(visit: Visit) -> list[Target]:
    """Return the instances that a form is about: each in `on`, and all of the services in `service`.  Raises Refused."""
    chosen = visit.chosen("on")
    services = visit.chosen("service")
    if not chosen and not services:
        raise Refused("Nothing is selected", "", "Tick the rows that the action is for, and choose the action again.")
    wanted = dict.fromkeys(tuple(map(unquote, key.split("/", 1))) for key in chosen if "/" in key)
    found: dict[tuple[str, str], Target] = {}
    if wanted:
        name = visit.names.get("name")
        rows = (
            health.instances(visit.view, visit.caller, name)
            if name is not None
            else overview.all_instances(visit.view, visit.caller)
        )
        for one in rows.value:
            key = (one.node.node, one.service.id)
            if key in wanted:
                found[key] = Target(*key, one.service.service)
    for name in services:
        for one in health.instances(visit.view, visit.caller, name).value:
            found[one.node.node, one.service.id] = Target(one.node.node, one.service.id, one.service.service)
    if not found:
        raise Refused(
            "The selected instances are not registered any more", "", "The page shows those that are there now."
        )
    return list(found.values())


async def owners(visit: Visit, chosen: Iterable[Target], *, kept: bool = False) -> Mapping[Target, Owner]:
    """Return the owners of instances; their agents are asked at the same time.

    kept: take answers of the last seconds, too; for pages, which are shown often.
    """
    targets = list(chosen)
    nodes = list(dict.fromkeys(target.node for target in targets))
    slots = asyncio.Semaphore(32)

    async def ask(node: str) -> frozenset[str] | Owner:
        async with slots:
            return await _held(visit, node, kept)

    held = dict(zip(nodes, await asyncio.gather(*map(ask, nodes)), strict=True))
    return {target: _owner(target, held[target.node]) for target in targets}


def _owner(target: Target, held: frozenset[str] | Owner) -> Owner:
    if isinstance(held, Owner):
        return held
    return Owner(AGENT) if target.id in held else Owner(CATALOG, "its agent does not hold it")


async def _held(visit: Visit, node: str, kept: bool) -> frozenset[str] | Owner:
    """Return the IDs of the services that the agent of a node holds."""
    reason = unreachable(visit, node)
    if reason is not None:
        return Owner(CATALOG if reason == NOT_AN_AGENT else AWAY, reason)
    if not kept:
        return await _ask(visit, node)
    key = ("held", visit.request.token, node.lower())
    return await visit.kept.shared(key, KEPT_S, lambda: _ask(visit, node))


async def _ask(visit: Visit, node: str) -> frozenset[str] | Owner:
    try:
        async with asyncio.timeout(2 * TIME_LIMIT_S):
            answer = await visit.ask("GET", "/v1/agent/services", node=node)
    except TimeoutError:
        return Owner(AWAY, "its agent does not answer")
    return frozenset(answer.json()) if answer.ok else Owner(AWAY, answer.text)
