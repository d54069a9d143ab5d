"""Servers: who leads and votes, how far each is behind, what breaks if one stops, and changes of the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyconsul.agent.common.go.durations import parse_go_duration_ns
from pyconsul.agent.model.check import CRITICAL, PASSING, WARNING
from pyconsul.agent.ui.contract import Action, Missing, Outcome, Page, PageRoute, Question
from pyconsul.agent.ui.pages.cluster.quorum import Voting, consequence, summary
from pyconsul.agent.ui.visit import Visit

REFRESH_S = 2.0  # servers have no topic of the state
SILENT_NS = 5_000_000_000  # without contact to a server it counts as gone, while no leader judges it
SETTINGS = {
    "CleanupDeadServers": "Remove failed servers as soon as others have taken their place",
    "LastContactThreshold": "Unhealthy after this time without contact to the leader",
    "MaxTrailingLogs": "Unhealthy when this many commits behind",
    "MinQuorum": "Never remove servers below this number",
    "ServerStabilizationTime": "Time that a new server must be healthy before it may vote",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A server.  behind: commits that it lacks, None if that is not known; contact: when the leader last heard of it.

    health: in a word; without a leader nothing but whether it is alive is known.
    """

    id: str
    name: str
    state: str
    role: str
    member: str
    address: str
    version: str
    behind: int | None
    contact: str
    term: int
    since: float
    consequence: str
    leads: bool
    votes: bool
    health: str


async def show(visit: Visit) -> Page:
    """Show the servers, the unhealthy ones first."""
    state = await _state(visit)
    settings = await visit.get("/v1/operator/autopilot/configuration", **_stale(visit))
    rows = rows_of(state["Servers"].values())
    lacks = visit.lacks("operator:write")
    voting = [voting_of(row) for row in rows]
    data = {
        "rows": rows,
        "sentence": summary(voting),
        "proposals": state.get("Proposals", ()),
        "settings": [(about, _word(settings[name])) for name, about in SETTINGS.items()],
        "transfer_lacks": lacks or ("" if sum(row.votes for row in rows) > 1 else "no other server has a vote"),
        "remove_lacks": lacks or ("" if len(rows) > 1 else "this is the only server"),
        "figures": visit.context.cluster.figures() if visit.context.cluster is not None else {},
        "index": visit.view.index,
        "server": visit.config.node_name,
    }
    return Page("servers.html", "Servers", "servers", data, refresh_s=REFRESH_S)


def _stale(visit: Visit) -> dict[str, str]:
    """Return the parameter that asks for what is known without a quorum, if the address of the page has it."""
    return {"stale": ""} if "stale" in visit.params else {}


async def _state(visit: Visit) -> Mapping[str, Any]:
    found: Mapping[str, Any] = await visit.get("/v1/operator/autopilot/state", **_stale(visit))
    return found


def rows_of(servers: Sequence[Mapping[str, Any]] | Any) -> list[Row]:
    """Return the servers of the API's response as the list shows them."""
    found = list(servers)
    newest = max((one["LastIndex"] for one in found), default=0)
    is_led = any(one["Status"] == "leader" for one in found)
    voting = [
        Voting(
            one["Name"] or one["ID"],
            one["Status"] != "non-voter",
            one["Status"] == "leader",
            one["Healthy"] if is_led else _answers(one),
        )
        for one in found
    ]
    rows = [_row(one, newest, voting, is_led=is_led) for one in found]
    return sorted(rows, key=lambda row: (row.state != CRITICAL, not row.leads, not row.votes, row.name))


def _row(one: Mapping[str, Any], newest: int, voting: Sequence[Voting], *, is_led: bool) -> Row:
    name, status = one["Name"] or one["ID"], one["Status"]
    if is_led:
        state, health = (PASSING, "healthy") if one["Healthy"] else (CRITICAL, "unhealthy")
    else:
        state, health = (WARNING, "alive") if _answers(one) else (CRITICAL, "not heard of")
    return Row(
        one["ID"],
        name,
        state,
        {"leader": "leader", "voter": "voter"}.get(status, "learner (no vote)"),
        one["NodeStatus"],
        one["Address"],
        one["Version"],
        newest - one["LastIndex"] if one["LastIndex"] else None,
        _contact(one["LastContact"], leads=status == "leader"),
        one["LastTerm"],
        datetime.fromisoformat(one["StableSince"]).timestamp(),
        consequence(voting, name),
        status == "leader",
        status != "non-voter",
        health,
    )


def _answers(one: Mapping[str, Any]) -> bool:
    """Return whether a server is alive: gossip needs some time to notice that one is not."""
    return one["NodeStatus"] == "alive" and 0 <= parse_go_duration_ns(one["LastContact"]) <= SILENT_NS


def voting_of(row: Row) -> Voting:
    """Return a server as the quorum sees it."""
    return Voting(row.name, row.votes, row.leads, row.state != CRITICAL)


def _contact(text: str, *, leads: bool) -> str:
    """Return when the leader last heard of a server: in steps, so that it is not different at each look."""
    if leads:
        return ""
    nanoseconds = parse_go_duration_ns(text)
    if nanoseconds < 0:
        return "never"
    seconds = nanoseconds / 1e9
    return "< 0.2 s ago" if seconds < 0.2 else "< 1 s ago" if seconds < 1 else f"{seconds:,.0f} s ago"


def _word(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


# Actions


async def _server(visit: Visit) -> Row:
    """Return the server that an action is about.  Raises Missing."""
    wanted = visit.form.get("on") or visit.params.get("on", "")
    state = await _state(visit)
    found = next((row for row in rows_of(state["Servers"].values()) if row.id == wanted), None)
    if found is None:
        raise Missing("This server is not part of the cluster any more", "", "Look at the list of servers again.")
    return found


async def ask_transfer(visit: Visit) -> Question:
    """Ask before another server leads."""
    server = await _server(visit)
    return Question(
        f"Let {server.name} lead?",
        ("Writes wait for a moment and are then carried out; none is lost. Reads go on.",),
        f"Let {server.name} lead",
        f"pyconsul operator raft transfer-leader -id {server.id}",
        lacks=visit.lacks("operator:write"),
        carry=(("on", server.id),),
    )


async def transfer(visit: Visit) -> Outcome:
    """Let another server lead."""
    server = await _server(visit)
    await visit.send("POST", "/v1/operator/raft/transfer-leader", id=server.id, failed=f"{server.name} does not lead")
    return Outcome(f"{server.name} leads.")


async def ask_remove(visit: Visit) -> Question:
    """Ask before a server is removed from the cluster."""
    server = await _server(visit)
    if server.state != CRITICAL:
        returns = (
            "Its agent still runs: it asks to be added again. Let it leave instead (pyconsul leave on its machine)."
        )
    else:
        returns = "When its agent starts again, it asks to be added as a new server."
    return Question(
        f"Remove {server.name} from the cluster?",
        (server.consequence, "Its data stays on its disk.", returns),
        f"Remove {server.name} from the cluster",
        f"pyconsul operator raft remove-peer -id {server.id}",
        destructive=True,
        lacks=visit.lacks("operator:write"),
        carry=(("on", server.id),),
    )


async def remove(visit: Visit) -> Outcome:
    """Remove a server from the cluster."""
    server = await _server(visit)
    await visit.send("DELETE", "/v1/operator/raft/peer", id=server.id, failed=f"{server.name} was not removed")
    return Outcome(f"{server.name} is removed from the cluster.")


PAGES = (
    PageRoute("servers", show, {"transfer": Action(transfer, ask_transfer), "remove": Action(remove, ask_remove)}),
)
