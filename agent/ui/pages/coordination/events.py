"""User events: those that this server remembers, and a form to fire one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyconsul.agent.model.event import UserEvent
from pyconsul.agent.model.member import MemberStatus
from pyconsul.agent.reads import events as reads
from pyconsul.agent.ui.contract import Action, Field, Outcome, Page, PageRoute, Question, Refused
from pyconsul.agent.ui.pages.listing import words_match
from pyconsul.agent.ui.shown import plural, size
from pyconsul.agent.ui.visit import Visit

SHOWN_CHARACTERS = 300  # of a payload
REFRESH_S = 1.0  # events have no topic of the state
FILTERS = (
    Field("node", "Nodes", hint="Regular expression of node names; empty: all."),
    Field("service", "Service", hint="Regular expression of a service that the nodes must have."),
    Field("tag", "Tag", hint="Regular expression of a tag of that service."),
)


@dataclass(frozen=True, slots=True)
class Row:
    """An event.  payload: as text, cut; size: of the whole payload."""

    id: str
    name: str
    payload: str
    size: str
    filters: tuple[tuple[str, str], ...]
    ltime: int
    time: float


def show(visit: Visit) -> Page:
    """Show the events, the latest first."""
    search = visit.params.get("filter", "").strip()
    found: list[UserEvent] = visit.read(reads.recent(visit.context.events, visit.caller))
    rows = [_row(visit, event) for event in reversed(found)]
    if search:
        rows = [row for row in rows if words_match(search, row.name, row.payload)]
    data = {"rows": rows, "all": len(found), "search": search, "server": visit.config.node_name}
    return Page("events.html", "Events", "events", data, refresh_s=REFRESH_S)


def _row(visit: Visit, event: UserEvent) -> Row:
    payload = event.payload or b""
    filters = (("node", event.node_filter), ("service", event.service_filter), ("tag", event.tag_filter))
    return Row(
        event.id,
        event.name,
        shown_payload(payload),
        size(len(payload)) if payload else "",
        tuple((name, pattern) for name, pattern in filters if pattern),
        event.ltime,
        visit.context.events.received(event.id),
    )


def shown_payload(payload: bytes) -> str:
    """Return a payload as text, bytes that are none as `\\xff`, at most 300 characters of it."""
    text = payload[: SHOWN_CHARACTERS + 4].decode("utf-8", "backslashreplace")
    shown = "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode() for char in text
    )
    return (
        shown if len(shown) <= SHOWN_CHARACTERS and len(payload) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "…"
    )


def ask_fire(visit: Visit) -> Question:
    """Ask what event to fire."""
    alive = sum(member.status is MemberStatus.ALIVE for member in visit.context.lan.members())
    return Question(
        "Fire an event",
        (
            f"Every agent that its filters fit receives it: without filters {plural(alive, 'agent')}. "
            "Their watches and programs act on it; it cannot be called back.",
        ),
        "Fire the event",
        "pyconsul event -name NAME -node REGEXP -service REGEXP -tag REGEXP PAYLOAD",
        fields=(
            Field("name", "Name", required=True, value=visit.params.get("name", "")),
            Field("payload", "Payload", "area", hint="A few hundred bytes at most: an event travels in one packet."),
            *FILTERS,
        ),
        lacks=visit.lacks("event:write", visit.params["name"]) if visit.params.get("name") else "",
    )


async def fire(visit: Visit) -> Outcome:
    """Fire an event."""
    form = visit.form
    name = form.get("name", "").strip()
    if not name:
        raise Refused("The event was not fired", "It has no name.", name="An event needs a name.")
    filters: dict[str, Any] = {one.name: form.get(one.name) or None for one in FILTERS}
    payload = form.get("payload", "").replace("\r\n", "\n").encode()
    await visit.send("PUT", f"/v1/event/fire/{name}", payload, failed=f'The event "{name}" was not fired', **filters)
    fitting = [f"{what} {pattern}" for what, pattern in filters.items() if pattern]
    return Outcome(f'Fired the event "{name}"' + (f" for {', '.join(fitting)}." if fitting else " for all agents."))


PAGES = (PageRoute("events", show, {"fire": Action(fire, ask_fire)}),)
