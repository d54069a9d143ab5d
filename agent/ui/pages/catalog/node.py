"""One node: checks, instances, lock sessions, metadata, and round trips to other nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyconsul.agent.model.check import MAINTENANCE, PASSING, HealthCheck
from pyconsul.agent.model.member import Member
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.reads import coordinates, overview
from pyconsul.agent.reads import sessions as session_reads
from pyconsul.agent.state.catalog.summaries import NodeInfo
from pyconsul.agent.ui.contract import Missing, Page, PageRoute
from pyconsul.agent.ui.pages.catalog import node_actions
from pyconsul.agent.ui.pages.catalog.distances import distances, plot
from pyconsul.agent.ui.pages.catalog.nodes import VERSION, leader_name, own_and_services
from pyconsul.agent.ui.pages.coordination.sessions import rows_of
from pyconsul.agent.ui.pages.listing import part_of
from pyconsul.agent.ui.pages.services.heartbeats import REFRESH_S, Beat, Heartbeats, heartbeats
from pyconsul.agent.ui.shown import counts, order_of, state_of, worst
from pyconsul.agent.ui.visit import Visit

EVERY_CHECK = ""  # filter expression
TABS = (
    ("health-checks", "Health checks"),
    ("service-instances", "Service instances"),
    ("lock-sessions", "Lock sessions"),
    ("metadata", "Metadata"),
    ("rtt", "Round trips"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """A check.  service: its name, "" for one of the node itself."""

    id: str
    name: str
    state: str
    kind: str
    service: str
    service_id: str
    notes: str
    output: str
    since: float | None
    beats: Sequence[Beat] = ()


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance on the node.  reason: of the worst check that does not pass."""

    id: str
    service: str
    state: str
    address: str
    tags: tuple[str, ...]
    numbers: dict[str, int]
    reason: str


async def show(visit: Visit) -> Page:
    """Show a node."""
    info = node_of(visit)
    tab = visit.names.get("tab") or TABS[0][0]
    own, by_service = own_and_services(info.checks)
    member = member_of(visit, info.node)
    found = visit.read(session_reads.of_node(visit.view, visit.caller, info.node))
    is_off = any(state_of(check) == MAINTENANCE for check in own)
    data: dict[str, Any] = {
        "node": info,
        "state": worst(map(state_of, own)),
        "numbers": counts(map(state_of, info.checks)),
        "leads": info.node.lower() == leader_name(visit).lower(),
        "member": member,
        "version": (info.meta or {}).get(VERSION, ""),
        "tab": tab,
        "tabs": _tabs(visit, info, len(found)),
        "is_off": is_off,
        "maintenance_lacks": node_actions.no_agent(member) or visit.lacks("node:write", info.node),
        "deregister_lacks": visit.lacks("node:write", info.node),
        "part": None,
        "plot": None,
        "silent": "",
    }
    address = partial(_address, visit, info.node, tab)
    if tab == "health-checks":
        beats = await heartbeats(visit, [info.node], EVERY_CHECK) if info.checks else Heartbeats()
        data["part"] = part_of(visit, _sorted(info.checks), address)
        data["checks"] = [_check(visit, check, beats) for check in data["part"].rows]
        data["silent"] = beats.silent.get(info.node, "") if member else ""
    elif tab == "service-instances":
        data["part"] = part_of(visit, _instances(info, by_service), address)
    elif tab == "lock-sessions":
        data["part"] = part_of(visit, sorted(found, key=lambda one: (one.name, one.id)), address)
        held = visit.read(session_reads.locks(visit.view, visit.caller, [one.id for one in data["part"].rows]))
        data["sessions"] = rows_of(visit, data["part"].rows, held)
    elif tab == "rtt":
        measured, data["plot"] = _distances(visit, info.node)
        data["part"] = part_of(visit, measured, address)
    return Page("node.html", info.node, "nodes", data, refresh_s=REFRESH_S if tab == "health-checks" else 0.0)


def node_of(visit: Visit) -> NodeInfo:
    """Return the node of the address.  Raises Missing."""
    name = visit.names["name"]
    result = overview.node(visit.view, visit.caller, name)
    info = visit.read(result)
    if not result.found:
        raise Missing(
            f'Node "{name}" is not registered',
            "",
            "It may have left the cluster, or your token does not show it (node:read).",
        )
    assert isinstance(info, NodeInfo)
    return info


def member_of(visit: Visit, name: str) -> Member | None:
    """Return the member of the gossip pool that a node is; None for a node without an agent."""
    members = visit.context.lan.members()
    return next((member for member in members if member.name.lower() == name.lower()), None)


def _tabs(visit: Visit, info: NodeInfo, sessions: int) -> list[tuple[str, str, str, int]]:
    """Return address, name, label and count of the parts of the page."""
    numbers: Mapping[str, int] = {
        "health-checks": len(info.checks),
        "service-instances": len(info.services),
        "lock-sessions": sessions,
        "metadata": len(info.meta or ()),
    }
    return [(visit.links.to("nodes", info.node, name), name, label, numbers.get(name, 0)) for name, label in TABS]


def _address(visit: Visit, node: str, tab: str, number: int) -> str:
    return visit.links.to("nodes", node, tab, part=number if number > 1 else None)


def _sorted(checks: Iterable[HealthCheck]) -> list[HealthCheck]:
    """Return the checks, the worst first, then the node's own."""
    return sorted(checks, key=lambda one: (order_of(state_of(one)), one.service_id, one.name, one.check_id))


def _check(visit: Visit, check: HealthCheck, beats: Heartbeats) -> Check:
    timeline = visit.context.timeline
    return Check(
        check.check_id,
        check.name,
        state_of(check),
        check.type,
        check.service_name,
        check.service_id,
        check.notes,
        beats.output_of(check),
        timeline.since(check.node, check.check_id) if timeline is not None else None,
        beats.of(check.node, check.check_id),
    )


def _instances(info: NodeInfo, by_service: Mapping[str, list[HealthCheck]]) -> list[Instance]:
    """Return the instances, the worst first."""
    found = [_instance(info, service, by_service.get(service.id, [])) for service in info.services]
    return sorted(found, key=lambda one: (order_of(one.state), one.service, one.id))


def _instance(info: NodeInfo, service: NodeService, checks: list[HealthCheck]) -> Instance:
    failing = sorted((check for check in checks if check.status != PASSING), key=lambda one: order_of(state_of(one)))
    host = service.address or info.address
    return Instance(
        service.id,
        service.service,
        worst(map(state_of, checks)),
        service.socket_path or (f"[{host}]:{service.port}" if ":" in host else f"{host}:{service.port}"),
        tuple(service.tags),
        counts(map(state_of, checks)),
        (failing[0].output or failing[0].notes or failing[0].name) if failing else "",
    )


def _distances(visit: Visit, name: str) -> tuple[Any, Any]:
    """Return the round trips to the other nodes, and the plot of them."""
    rows = visit.read(coordinates.nodes(visit.view, visit.caller))
    own = next((row.coord for row in rows if row.node.lower() == name.lower()), None)
    if own is None:
        return [], None
    others = [row for row in rows if row.node.lower() != name.lower() and len(row.coord.vec) == len(own.vec)]
    found = distances(own, others)
    return found, plot(own, others, found)


PAGES = (
    PageRoute("nodes/{name}", show, node_actions.ACTIONS),
    PageRoute(f"nodes/{{name}}/(?P<tab>{'|'.join(name for name, _ in TABS)})", show, node_actions.ACTIONS),
)
