"""Actions of one node, or of those that are selected in the list: maintenance, deregistration, the end of sessions."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Awaitable, Callable, Sequence

from pyconsul.agent.model.member import Member, MemberStatus
from pyconsul.agent.reads import overview
from pyconsul.agent.reads import sessions as session_reads
from pyconsul.agent.state.catalog.summaries import NodeInfo
from pyconsul.agent.ui.contract import Action, Field, Missing, Outcome, Question, Refused
from pyconsul.agent.ui.pages.coordination.sessions import ask_invalidate, invalidate
from pyconsul.agent.ui.shown import plural
from pyconsul.agent.ui.visit import Visit

NAMED = 5  # nodes of a selection that a question names, and for which it has commands


def no_agent(member: Member | None) -> str:
    """Return why a node cannot be put into maintenance, "" if it can: its agent has to do it."""
    if member is None:
        return "this node has no agent: it stands in the catalog only"
    if member.status is not MemberStatus.ALIVE:
        return f"its agent does not answer: it is {member.status.name.lower()}"
    return ""


def _members(visit: Visit) -> dict[str, Member]:
    return {one.name.lower(): one for one in visit.context.lan.members()}


def _chosen(visit: Visit) -> list[NodeInfo]:
    """Return the node of the address, or those that are selected.  Raises Missing, Refused."""
    one = visit.names.get("name")
    names = [one] if one is not None else list(dict.fromkeys(visit.chosen("on")))
    if not names:
        raise Refused("No node is selected", "", "Select nodes in the list first.")
    found = [overview.node(visit.view, visit.caller, name) for name in names]
    nodes = [result.value for result in found if result.found]
    if not nodes:
        raise Missing(f'Node "{names[0]}" is not registered', "", "It may have been deregistered meanwhile.")
    return nodes


def _named(nodes: Sequence[NodeInfo]) -> str:
    return nodes[0].node if len(nodes) == 1 else plural(len(nodes), "node")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _commands(nodes: Sequence[NodeInfo], command: Callable[[str], str]) -> str:
    lines = [command(node.node) for node in nodes[:NAMED]]
    return "\n".join(lines + ([f"# and {len(nodes) - NAMED} more like these"] if len(nodes) > NAMED else []))


def _lacks(visit: Visit, nodes: Sequence[NodeInfo]) -> str:
    return next(filter(None, (visit.lacks("node:write", node.node) for node in nodes)), "")


def _carry(visit: Visit, nodes: Sequence[NodeInfo]) -> tuple[tuple[str, str], ...]:
    return () if "name" in visit.names else tuple(("on", node.node) for node in nodes)


def _sessions(visit: Visit, nodes: Sequence[NodeInfo]) -> int:
    return sum(len(session_reads.of_node(visit.view, visit.caller, node.node).value) for node in nodes)


def _reachable(visit: Visit, nodes: Sequence[NodeInfo]) -> tuple[list[NodeInfo], dict[str, str]]:
    """Return the nodes whose agents can be asked, and why the others cannot be."""
    members = _members(visit)
    reasons = {node.node: no_agent(members.get(node.node.lower())) for node in nodes}
    able = [node for node in nodes if not reasons[node.node]]
    return able, {name: reason for name, reason in reasons.items() if reason}


def ask_maintenance(visit: Visit) -> Question:
    """Ask before nodes are put into maintenance."""
    nodes = _chosen(visit)
    able, unable = _reachable(visit, nodes)
    services = sum(len(node.services) for node in able)
    return Question(
        f"Put {_named(nodes)} into maintenance?",
        (
            *_selection(nodes, unable),
            f"All {plural(services, 'service')} on {'it' if len(nodes) == 1 else 'them'} count as critical then, so that DNS and "
            "load balancers leave them out. Nothing is stopped.",
            "Sessions that depend on the health of the node end, and their locks with them."
            if _sessions(visit, able)
            else "No session ends.",
        ),
        f"Put {_named(nodes)} into maintenance",
        _commands(able, lambda name: f'pyconsul maint -enable -node {shlex.quote(name)} -reason "…"'),
        fields=(Field("reason", "Reason", hint="Shown as the output of the check."),),
        lacks=_lacks(visit, able) if able else next(iter(unable.values())),
        carry=_carry(visit, nodes),
    )


def _selection(nodes: Sequence[NodeInfo], unable: dict[str, str]) -> list[str]:
    """Return which nodes a question is about, and which are left out."""
    if len(nodes) == 1:
        return []
    left = [f"Left out: {_listed(list(unable))}, which have no agent that answers."] if unable else []
    return [_listed([node.node for node in nodes if node.node not in unable]) + ".", *left]


async def begin_maintenance(visit: Visit) -> Outcome:
    """Put nodes into maintenance."""
    return await _maintain(visit, "true", "is in maintenance", "are in maintenance")


async def end_maintenance(visit: Visit) -> Outcome:
    """End the maintenance of nodes."""
    return await _maintain(visit, "false", "is back", "are back")


async def _maintain(visit: Visit, enable: str, one: str, many: str) -> Outcome:
    nodes = _chosen(visit)
    able, unable = (nodes, {}) if len(nodes) == 1 else _reachable(visit, nodes)

    async def send(name: str) -> None:
        await visit.send(
            "PUT",
            "/v1/agent/maintenance",
            enable=enable,
            reason=visit.form.get("reason") or None,
            node=name,
            failed=f"The maintenance of {name} was not changed",
        )

    return await _each(able, send, one, many, [f"{name}: {reason}" for name, reason in unable.items()])


async def _each(
    nodes: Sequence[NodeInfo],
    send: Callable[[str], Awaitable[None]],
    one: str,
    many: str,
    failures: list[str],
    location: str = "",
) -> Outcome:
    """Carry something out for each node, and tell what failed.  Raises Refused if all of it did."""
    results = await asyncio.gather(*(send(node.node) for node in nodes), return_exceptions=True)
    refused = [(node.node, result) for node, result in zip(nodes, results, strict=True) if result is not None]
    for _, error in refused:
        if not isinstance(error, Refused):
            raise error
    if len(refused) == len(nodes):
        if refused:
            raise refused[0][1]
        raise Refused("Nothing was carried out", failures[0] if failures else "")
    failures = [*failures, *(f"{name}: {error.reason}" for name, error in refused if isinstance(error, Refused))]
    done = [node for node in nodes if node.node not in dict(refused)]
    return Outcome(f"{_named(done)} {one if len(done) == 1 else many}.", location, tuple(failures))


def ask_end(visit: Visit) -> Question:
    """Ask before the maintenance of nodes ends."""
    nodes = _chosen(visit)
    able, unable = _reachable(visit, nodes)
    return Question(
        f"End the maintenance of {_named(nodes)}?",
        (*_selection(nodes, unable), "Services are used again, if their own checks pass."),
        f"End the maintenance of {_named(nodes)}",
        _commands(able, lambda name: f"pyconsul maint -disable -node {shlex.quote(name)}"),
        lacks=_lacks(visit, able) if able else next(iter(unable.values())),
        carry=_carry(visit, nodes),
    )


def ask_deregister(visit: Visit) -> Question:
    """Ask before nodes are removed from the catalog: with what, and what returns."""
    nodes, members = _chosen(visit), _members(visit)
    services, checks = sum(len(node.services) for node in nodes), sum(len(node.checks) for node in nodes)
    sessions = _sessions(visit, nodes)
    them = "It goes" if len(nodes) == 1 else f"{_listed([node.node for node in nodes])} go"
    return Question(
        f"Deregister {_named(nodes)}?",
        (
            f"{them} from the catalog with {plural(services, 'service instance')} and {plural(checks, 'check')}; "
            "DNS does not answer with them any more.",
            f"{plural(sessions, 'session')} {'ends' if sessions == 1 else 'end'}, with the locks held.",
            *dict.fromkeys(returns(members.get(node.node.lower())) for node in nodes),
        ),
        f"Deregister {_named(nodes)}",
        _commands(
            nodes,
            lambda name: f"curl -X PUT -d {shlex.quote(json.dumps({'Node': name}))} {visit.api}/v1/catalog/deregister",
        ),
        destructive=True,
        lacks=_lacks(visit, nodes),
        carry=_carry(visit, nodes),
    )


def returns(member: Member | None) -> str:
    """Return whether a deregistered node comes back by itself."""
    if member is None:
        return "Without an agent, nothing brings a node back: the program that registered it has to do so again."
    if member.status is MemberStatus.ALIVE:
        return (
            "A node whose agent is alive comes back by itself within a few minutes, with its services and checks. "
            "To remove it, let its agent leave (pyconsul leave on that machine)."
        )
    verb = "left" if member.status is MemberStatus.LEFT else "failed"
    return f"A node whose agent has {verb} comes back when that starts again."


async def deregister(visit: Visit) -> Outcome:
    """Remove nodes from the catalog."""

    async def send(name: str) -> None:
        body = {"Datacenter": visit.datacenter, "Node": name}
        await visit.send("PUT", "/v1/catalog/deregister", body, failed=f"{name} was not deregistered")

    location = visit.links.to("nodes") if "name" in visit.names else ""
    return await _each(_chosen(visit), send, "is deregistered", "are deregistered", [], location)


SELECTED = {
    "maintenance": Action(begin_maintenance, ask_maintenance),
    "maintenance-end": Action(end_maintenance, ask_end),
    "deregister": Action(deregister, ask_deregister),
}
ACTIONS = {**SELECTED, "invalidate": Action(invalidate, ask_invalidate)}
