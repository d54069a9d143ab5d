"""Sessions: which node holds which locks, and the end of sessions that hold them for no reason."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from pyconsul.agent.common.go.durations import format_go_duration_ns
from pyconsul.agent.model.session import Session
from pyconsul.agent.reads import sessions as reads
from pyconsul.agent.ui.contract import Action, Outcome, Page, PageRoute, Question, Refused
from pyconsul.agent.ui.pages.listing import filtered, is_expression, part_of, words_match
from pyconsul.agent.ui.shown import plural
from pyconsul.agent.ui.visit import Visit

#: Beginnings of expressions that are offered while a filter is typed.
EXAMPLES = ('Node == ""', 'Behavior == "delete"', 'Name matches ""', 'TTL == ""')
SHOWN_KEYS = 20  # of one session in a list
NAMED = 8  # sessions that a question names


@dataclass(frozen=True, slots=True)
class Row:
    """A session.  keys: the first of those it holds; more: how many others; lacks: the rule that its end needs."""

    id: str
    name: str
    node: str
    ttl: str
    lock_delay: str
    behavior: str
    checks: tuple[str, ...]
    keys: tuple[str, ...]
    more: int
    lacks: str


def show(visit: Visit) -> Page:
    """Show the sessions: those that hold locks first, then by node."""
    search, node = visit.params.get("filter", "").strip(), visit.params.get("node", "")
    found: list[Session] = visit.read(reads.every(visit.view, visit.caller))
    chosen, mistake = filtered(found, search, Session) if is_expression(search) else (found, None)
    held = visit.read(reads.locks(visit.view, visit.caller, [one.id for one in chosen]))
    if search and not is_expression(search):
        chosen = [one for one in chosen if words_match(search, one.id, one.name, one.node, *held.get(one.id, ()))]
    if node:
        chosen = [one for one in chosen if one.node == node]
    ordered = sorted(chosen, key=lambda one: (one.id not in held, one.node, one.name, one.id))
    part = part_of(visit, ordered, partial(_address, visit))
    return Page(
        "sessions.html",
        "Sessions and locks",
        "sessions",
        {
            "total": len(chosen),
            "all": len(found),
            "locks": sum(len(held.get(one.id, ())) for one in chosen),
            "rows": rows_of(visit, part.rows, held),
            "part": part,
            "search": search,
            "node": node,
            "nodes": sorted({one.node for one in found}),
            "words": EXAMPLES,
            "mistake": mistake,
            "permitted": any(not visit.lacks("session:write", one.node) for one in part.rows),
        },
    )


def rows_of(visit: Visit, found: Iterable[Session], held: dict[str, list[str]]) -> list[Row]:
    """Return sessions as lists show them.  held: the keys by session."""
    return [_row(visit, one, held.get(one.id, [])) for one in found]


def _row(visit: Visit, one: Session, keys: Sequence[str]) -> Row:
    checks = [*(one.node_checks or ()), *(check.id for check in one.service_checks or ())]
    return Row(
        one.id,
        one.name,
        one.node,
        one.ttl,
        format_go_duration_ns(one.lock_delay) if one.lock_delay else "none",
        one.behavior,
        tuple(checks),
        tuple(keys[:SHOWN_KEYS]),
        max(0, len(keys) - SHOWN_KEYS),
        visit.lacks("session:write", one.node),
    )


def _address(visit: Visit, number: int) -> str:
    kept = {name: visit.params.get(name, "") for name in ("filter", "node")}
    return visit.links.to("sessions", **kept, part=number if number > 1 else "")


# The end of sessions; the page of a node has it, too


def _chosen(visit: Visit) -> list[Session]:
    """Return the sessions of the request that still exist.  Raises Refused for none."""
    ids = dict.fromkeys(visit.chosen("on"))
    known = {one.id: one for one in reads.every(visit.view, visit.caller).value}
    found = [known[one] for one in ids if one in known]
    if not ids:
        raise Refused("No session is selected", "", "Select sessions in the list first.")
    if not found:
        raise Refused(
            "These sessions do not exist any more" if len(ids) > 1 else "This session does not exist any more",
            "They may have ended meanwhile: by their TTL, a check, or their owner.",
            status=404,
        )
    return found


def ask_invalidate(visit: Visit) -> Question:
    """Ask before sessions end."""
    found = _chosen(visit)
    held = reads.locks(visit.view, visit.caller, [one.id for one in found]).value
    what = _named(found)
    return Question(
        f"Invalidate {what}?",
        (*_consequences(found, held), "Its owner is not asked: a program that still runs loses its lock."),
        f"Invalidate {what}",
        f"pyconsul session destroy {shlex.join(one.id for one in found)}",
        destructive=True,
        lacks=next(filter(None, (visit.lacks("session:write", one.node) for one in found)), ""),
        carry=tuple(("on", one.id) for one in found),
    )


def _named(found: Sequence[Session]) -> str:
    if len(found) > 1:
        return plural(len(found), "session")
    one = found[0]
    return f'session "{one.name}" of {one.node}' if one.name else f"session {one.id[:8]} of {one.node}"


def _consequences(found: Sequence[Session], held: dict[str, list[str]]) -> Iterable[str]:
    """Yield what happens to the keys that sessions hold."""
    if len(found) > 1:
        names = [f"{one.name or one.id[:8]} ({one.node})" for one in found[:NAMED]]
        yield ", ".join(names) + (f" and {len(found) - NAMED} more" if len(found) > NAMED else "") + "."
    for behavior, effect in (("release", "released, and can be locked by others"), ("delete", "deleted")):
        keys = [key for one in found if one.behavior == behavior for key in held.get(one.id, ())]
        if keys:
            some = ", ".join(keys[:NAMED]) + (" …" if len(keys) > NAMED else "")
            yield f"{plural(len(keys), 'key is', 'keys are')} {effect}: {some}."
    delays = [one.lock_delay for one in found if one.lock_delay and held.get(one.id) and one.behavior == "release"]
    if delays:
        yield f"They cannot be locked again for the lock delay of {format_go_duration_ns(max(delays))}."
    if not held:
        yield "No key that you may see is locked."


async def invalidate(visit: Visit) -> Outcome:
    """End sessions."""
    found = _chosen(visit)
    failures = []
    for one in found:
        try:
            await visit.send("PUT", f"/v1/session/destroy/{one.id}", failed=f"Session {one.id} was not invalidated")
        except Refused as error:
            failures.append(f"{one.name or one.id} of {one.node}: {error.reason}")
    if len(failures) == len(found):
        raise Refused("Nothing was invalidated", failures[0], status=403)
    return Outcome(f"Invalidated {plural(len(found) - len(failures), 'session')}.", failures=tuple(failures))


ACTIONS = {"invalidate": Action(invalidate, ask_invalidate)}
PAGES = (PageRoute("sessions", show, ACTIONS),)
