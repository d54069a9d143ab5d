"""Actions of a node: maintenance, deregistration, the end of its sessions."""

from __future__ import annotations

import json
import shlex

from pyconsul.agent.model.member import Member, MemberStatus
from pyconsul.agent.reads import overview
from pyconsul.agent.reads import sessions as session_reads
from pyconsul.agent.ui.contract import Action, Field, Missing, Outcome, Question
from pyconsul.agent.ui.pages.coordination.sessions import ask_invalidate, invalidate
from pyconsul.agent.ui.shown import plural
from pyconsul.agent.ui.visit import Visit


def no_agent(member: Member | None) -> str:
    """Return why a node cannot be put into maintenance, "" if it can: its agent has to do it."""
    if member is None:
        return "this node has no agent: it stands in the catalog only"
    if member.status is not MemberStatus.ALIVE:
        return f"its agent does not answer: it is {member.status.name.lower()}"
    return ""


def _member(visit: Visit) -> Member | None:
    name = visit.names["name"].lower()
    return next((one for one in visit.context.lan.members() if one.name.lower() == name), None)


def ask_maintenance(visit: Visit) -> Question:
    """Ask before a node is put into maintenance."""
    name = visit.names["name"]
    services = len(visit.read(overview.node(visit.view, visit.caller, name)).services or ())
    return Question(
        f"Put {name} into maintenance?",
        (
            f"All {plural(services, 'service')} on it count as critical then, so that DNS and load balancers leave them out. "
            "Nothing is stopped.",
            "Sessions that depend on its health end, and their locks with them."
            if _sessions(visit)
            else "No session of this node ends.",
        ),
        f"Put {name} into maintenance",
        f'pyconsul maint -enable -node {shlex.quote(name)} -reason "…"',
        fields=(Field("reason", "Reason", hint="Shown as the output of the check."),),
        lacks=no_agent(_member(visit)) or visit.lacks("node:write", name),
    )


def _sessions(visit: Visit) -> int:
    return len(session_reads.of_node(visit.view, visit.caller, visit.names["name"]).value)


async def begin_maintenance(visit: Visit) -> Outcome:
    """Put a node into maintenance."""
    name = visit.names["name"]
    await visit.send(
        "PUT",
        "/v1/agent/maintenance",
        enable="true",
        reason=visit.form.get("reason") or None,
        node=name,
        failed=f"{name} was not put into maintenance",
    )
    return Outcome(f"{name} is in maintenance.")


def ask_end(visit: Visit) -> Question:
    """Ask before the maintenance of a node ends."""
    name = visit.names["name"]
    return Question(
        f"End the maintenance of {name}?",
        ("Its services are used again, if their own checks pass.",),
        f"End the maintenance of {name}",
        f"pyconsul maint -disable -node {shlex.quote(name)}",
        lacks=no_agent(_member(visit)) or visit.lacks("node:write", name),
    )


async def end_maintenance(visit: Visit) -> Outcome:
    """End the maintenance of a node."""
    name = visit.names["name"]
    await visit.send(
        "PUT",
        "/v1/agent/maintenance",
        enable="false",
        node=name,
        failed=f"The maintenance of {name} has not ended",
    )
    return Outcome(f"{name} is back.")


def ask_deregister(visit: Visit) -> Question:
    """Ask before a node is removed from the catalog: with what, and what returns."""
    name = visit.names["name"]
    result = overview.node(visit.view, visit.caller, name)
    if not result.found:
        raise Missing(f'Node "{name}" is not registered')
    info = result.value
    parts = [plural(len(info.services), "service instance"), plural(len(info.checks), "check")]
    sessions = _sessions(visit)
    return Question(
        f"Deregister {name}?",
        (
            f"It goes from the catalog with {' and '.join(parts)}; DNS does not answer with it any more.",
            f"{plural(sessions, 'session')} of it ends, and the locks with it."
            if sessions == 1
            else f"{plural(sessions, 'session')} of it end, and the locks with them.",
            returns(_member(visit)),
        ),
        f"Deregister {name}",
        f"curl -X PUT -d {shlex.quote(json.dumps({'Node': name}))} localhost:8500/v1/catalog/deregister",
        destructive=True,
        lacks=visit.lacks("node:write", name),
    )


def returns(member: Member | None) -> str:
    """Return whether a deregistered node comes back by itself."""
    if member is None:
        return "It has no agent, so nothing brings it back: whatever registered it has to do so again."
    if member.status is MemberStatus.ALIVE:
        return (
            "Its agent is alive: the node, its services and checks come back by themselves within a few minutes. "
            "To remove it, let its agent leave (pyconsul leave on that machine)."
        )
    return f"Its agent has {'left' if member.status is MemberStatus.LEFT else 'failed'}: it comes back when that starts again."


async def deregister(visit: Visit) -> Outcome:
    """Remove a node from the catalog."""
    name = visit.names["name"]
    body = {"Datacenter": visit.datacenter, "Node": name}
    await visit.send("PUT", "/v1/catalog/deregister", body, failed=f"{name} was not deregistered")
    return Outcome(f"{name} is deregistered. {returns(_member(visit))}", visit.links.to("nodes"))


ACTIONS = {
    "maintenance": Action(begin_maintenance, ask_maintenance),
    "maintenance-end": Action(end_maintenance, ask_end),
    "deregister": Action(deregister, ask_deregister),
    "invalidate": Action(invalidate, ask_invalidate),
}
