"""The timeline as the overview shows it: changes in groups by time; a check that flaps in one entry.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyconsul.agent.events.timeline import Change
from pyconsul.agent.model.check import CRITICAL, MAINTENANCE
from pyconsul.agent.ui.pages.listing import words_match
from pyconsul.agent.ui.shown import MAINTENANCE_IDS, NONE, first_line

FLAPPING = 4  # changes of a check within the hour
STATES = 20  # of a flapping check that are shown
GROUP_S = 300.0
KINDS = ("check", "service", "node")


@dataclass(frozen=True, slots=True)
class Entry:
    """A change, or all those of a check that flaps.  states: of such a check, the oldest first.   key: names the row."""

    key: str
    time: float
    kind: str
    state: str
    name: str
    node: str
    service: str
    service_id: str
    text: str
    output: str
    states: tuple[str, ...] = ()
    count: int = 1


@dataclass(frozen=True, slots=True)
class Group:
    """The changes of five minutes.  key: names the group.   label: those minutes in UTC."""

    key: int
    label: str
    entries: Sequence[Entry]


def chosen(changes: Iterable[Change], kind: str, search: str) -> list[Change]:
    """Return the changes of a kind in which each word occurs."""
    return [
        change
        for change in changes
        if (not kind or change.kind == kind)
        and (not search or words_match(search, change.name, change.node, change.service, change.output, change.after))
    ]


def entries(changes: Sequence[Change]) -> Iterator[Entry]:
    """Yield the entries of changes, the latest first; as these."""
    by_check: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        if change.kind == "check":
            by_check.setdefault((change.node, change.check_id), []).append(change)
    shown: set[tuple[str, str]] = set()
    for number, change in enumerate(changes):
        key = (change.node, change.check_id)
        all_of_check = by_check.get(key, ()) if change.kind == "check" else ()
        if len(all_of_check) < FLAPPING:
            yield _entry(change, f"{change.time}/{len(changes) - number}")
        elif key not in shown:
            shown.add(key)
            yield _flapping(all_of_check)


def _entry(change: Change, key: str) -> Entry:
    return Entry(
        key, change.time, change.kind, state_after(change), change.name, change.node, change.service, change.service_id,
        _text(change), first_line(change.output) if change.after else "",
    )  # fmt: skip


def _flapping(changes: Sequence[Change]) -> Entry:
    latest = changes[0]
    states = tuple(state_after(change) for change in reversed(changes[:STATES]))
    text = f"is flapping: {len(changes)} changes in the last hour"
    return Entry(
        f"flapping/{latest.node}/{latest.check_id}", latest.time, latest.kind, state_after(latest), latest.name, latest.node,
        latest.service, latest.service_id, text, first_line(latest.output), states, len(changes),
    )  # fmt: skip


def state_after(change: Change) -> str:
    """Return the state that a change led to; NONE for what has none."""
    if change.kind != "check" or not change.after:
        return NONE
    return MAINTENANCE if change.check_id.startswith(MAINTENANCE_IDS) and change.after == CRITICAL else change.after


def _text(change: Change) -> str:
    """Return what happened, to be read behind the name."""
    if not change.before:
        return "was registered" if change.kind != "check" else f"began as {change.after}"
    if not change.after:
        return "was deregistered" if change.kind != "check" else "was removed"
    return f"went from {change.before} to {change.after}"


def grouped(found: Iterable[Entry]) -> list[Group]:
    """Return entries in groups of five minutes, the latest first."""
    groups: dict[int, list[Entry]] = {}
    for entry in found:
        groups.setdefault(int(entry.time // GROUP_S), []).append(entry)
    return [Group(number, f"{_clock(number)}–{_clock(number + 1)}", rows) for number, rows in groups.items()]


def _clock(number: int) -> str:
    """Return the time of day, in UTC, at which a group begins."""
    minutes = int(number * GROUP_S) // 60 % (24 * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"
