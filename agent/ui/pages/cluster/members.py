"""Members of the gossip pools: their status and the reason, and the removal of those that have failed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyconsul.agent.model.check import CRITICAL, PASSING, WARNING
from pyconsul.agent.model.coordinate import distance
from pyconsul.agent.model.member import MemberStatus
from pyconsul.agent.ui.contract import Action, Field, Outcome, Page, PageRoute, Question, Refused
from pyconsul.agent.ui.pages.listing import part_of, words_match
from pyconsul.agent.ui.shown import NONE, counts
from pyconsul.agent.ui.visit import Visit

REFRESH_S = 2.0  # members have no topic of the state
STATUSES = ("failed", "suspected", "leaving", "left", "alive")  # the worst first
STATES = {"failed": CRITICAL, "suspected": WARNING, "leaving": WARNING, "left": NONE, "alive": PASSING}
#: Beginnings of reasons that every healthy member has, and of those that change every second.
USUAL = ("it is this agent", "it is alive", "last acknowledged", "never acknowledged")
SUSPECTED = "suspected by "
#: Tags that have a column, or that say nothing to people.
OWN_TAGS = (
    "role",
    "dc",
    "id",
    "build",
    "segment",
    "vsn",
    "vsn_min",
    "vsn_max",
    "raft_vsn",
    "ft_fs",
    "ft_si",
    "port",
    "acls",
    "wan_join_port",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A member.  reasons: why it is not simply alive; round_trip: from the agent that shows the page."""

    name: str
    status: str
    state: str
    role: str
    datacenter: str
    address: str
    build: str
    protocol: str
    round_trip: str
    tags: tuple[str, ...]
    reasons: tuple[str, ...]
    removable: bool


async def show(visit: Visit) -> Page:
    """Show the members, the failed ones first."""
    is_wan = visit.params.get("pool", "") == "wan"
    search, status = visit.params.get("filter", "").strip(), visit.params.get("status", "")
    if is_wan:
        members: Sequence[Mapping[str, Any]] = await visit.get("/v1/agent/members", wan="1") or ()
        found = [row_of({"Member": member}) for member in members]
    else:
        explained = await visit.get("/v1/agent/members", explain="") or ()
        found = [row_of(one, _round_trip(visit, one["Member"]["Name"])) for one in explained]
    rows = [row for row in found if status in ("", row.status)]
    if search:
        rows = [row for row in rows if words_match(search, row.name, row.address, row.role, row.build, *row.tags)]
    rows.sort(key=lambda row: (STATUSES.index(row.status), row.role != "server", row.name))
    part = part_of(visit, rows, partial(_address, visit))
    data = {
        "total": len(rows),
        "all": len(found),
        "numbers": counts(row.state for row in rows),
        "rows": part.rows,
        "part": part,
        "search": search,
        "status": status,
        "statuses": STATUSES,
        "is_wan": is_wan,
        "server": visit.config.node_name,
        "force_lacks": visit.lacks("operator:write"),
        "several": len({row.datacenter for row in found}) > 1,
    }
    return Page("members.html", "Members", "members", data, refresh_s=REFRESH_S)


def row_of(one: Mapping[str, Any], round_trip: str = "") -> Row:
    """Return a member of the API's response as the list shows it."""
    member, tags = one["Member"], one["Member"]["Tags"]
    reasons = tuple(reason for reason in one.get("Reasons") or () if not reason.startswith(USUAL))
    status = _status(member["Status"], reasons)
    host = member["Addr"]
    return Row(
        member["Name"],
        status,
        STATES[status],
        {"consul": "server", "node": "client"}.get(tags.get("role", ""), tags.get("role", "unknown")),
        tags.get("dc", ""),
        f"[{host}]:{member['Port']}" if ":" in host else f"{host}:{member['Port']}",
        tags.get("build", "").partition(":")[0],
        f"{member['ProtocolCur']} ({member['ProtocolMin']} to {member['ProtocolMax']})",
        round_trip,
        tuple(f"{name}={value}" for name, value in sorted(tags.items()) if name not in OWN_TAGS),
        reasons,
        status in ("failed", "left", "leaving"),
    )


def _status(number: int, reasons: Sequence[str]) -> str:
    try:
        name = MemberStatus(number).name.lower()
    except ValueError:
        return "failed"
    return "suspected" if name == "alive" and reasons and reasons[0].startswith(SUSPECTED) else name


def _round_trip(visit: Visit, name: str) -> str:
    """Return the estimated round trip from this agent in whole milliseconds, so that it is not different at each look."""
    lan = visit.context.lan
    if name == lan.local.name:
        return ""
    nanoseconds = distance(lan.coordinate, lan.coordinate_of(name))
    if nanoseconds == float("inf"):
        return ""
    return f"{nanoseconds / 1e6:,.0f} ms" if nanoseconds >= 1e6 else "< 1 ms"


def _address(visit: Visit, number: int) -> str:
    kept = {name: visit.params.get(name, "") for name in ("filter", "status", "pool")}
    return visit.links.to("members", **kept, part=number if number > 1 else "")


# Actions


def _member(visit: Visit) -> str:
    return visit.form.get("on") or visit.params.get("on", "")


def ask_force_leave(visit: Visit) -> Question:
    """Ask before a member is forced to leave."""
    name = _member(visit)
    quoted = shlex.quote(name)
    return Question(
        f"Force {name} to leave?",
        (
            "All agents note that it has left: its node, services and checks go from the catalog, and its sessions end.",
            "A server goes from the list of gossip members only; the page Servers removes it from the cluster.",
            "If its agent still runs, it comes back by itself.",
        ),
        f"Force {name} to leave",
        f"pyconsul force-leave {quoted}   # with -prune: forget it",
        destructive=True,
        fields=(Field("prune", "Forget it at once", "checkbox", hint="Otherwise it is listed as left for some days."),),
        lacks=visit.lacks("operator:write"),
        carry=(("on", name),),
    )


async def force_leave(visit: Visit) -> Outcome:
    """Force a member to leave."""
    name, prune = _member(visit), visit.form.get("prune") == "true"
    if not name:
        raise Refused("No member is named")
    await visit.send(
        "PUT",
        f"/v1/agent/force-leave/{name}",
        prune="" if prune else None,
        wan="" if visit.params.get("pool") == "wan" else None,
        failed=f"{name} was not forced to leave",
    )
    return Outcome(f"{name} is forgotten." if prune else f"{name} is noted as left.")


PAGES = (PageRoute("members", show, {"force-leave": Action(force_leave, ask_force_leave)}),)
