"""The table of `pyconsul monitor -services`: services with the health of their instances, and what has changed since the
start. Pure but for the drawing."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pyconsul.cli.output.render import new_table

if TYPE_CHECKING:
    from rich.console import RenderableType

#: The worst first.
STATES = ("critical", "warning", "passing")
_COLOURS = {"critical": "bold red", "warning": "yellow", "passing": "green"}
#: Seconds over which the rate of changes is measured, and for which a changed service is marked.
_WINDOW, _MARKED = 60.0, 5.0
_HEADERS = ("Service", "Instances", "Passing", "Warning", "Critical", "Changes", "Last change", "Output")


class Health(NamedTuple):
    """Instances of one service by the worst of their checks; `output`: of the worst check that fails."""

    passing: int = 0
    warning: int = 0
    critical: int = 0
    output: str = ""

    @property
    def instances(self) -> int:
        """The number of instances."""
        return self.passing + self.warning + self.critical

    def __str__(self) -> str:
        return f"{self.passing} passing, {self.warning} warning, {self.critical} critical"


def healths(checks: Sequence[Mapping[str, Any]], unchecked: Mapping[str, int]) -> dict[str, Health]:
    """Group checks of /v1/health/state/any by service. `unchecked`: instances of services without any
    checks of their own, which count as passing; checks of a whole node count for all instances on it."""
    nodes: dict[str, Mapping[str, Any]] = {}
    worst: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for check in checks:
        if not check["ServiceName"]:
            nodes[check["Node"]] = _worse(nodes.get(check["Node"]), check)
    for check in checks:
        if check["ServiceName"]:
            place = check["ServiceName"], check["Node"], check["ServiceID"]
            worst[place] = _worse(worst.get(place) or nodes.get(check["Node"]), check)
    found: dict[str, list[Mapping[str, Any]]] = {}
    for (service, _, _), check in worst.items():
        found.setdefault(service, []).append(check)
    result = {name: Health(passing=count) for name, count in unchecked.items()}
    return result | {name: _health(entries) for name, entries in found.items()}


def _rank(check: Mapping[str, Any]) -> int:
    return STATES.index(check["Status"]) if check["Status"] in STATES else 0


def _worse(one: Mapping[str, Any] | None, other: Mapping[str, Any]) -> Mapping[str, Any]:
    return other if one is None or _rank(other) < _rank(one) else one


def _health(checks: Sequence[Mapping[str, Any]]) -> Health:
    counts = Counter(STATES[_rank(check)] for check in checks)
    bad = min(checks, key=_rank)
    output = str(bad["Output"] or bad["Name"]).strip().partition("\n")[0] if _rank(bad) < 2 else ""
    return Health(counts["passing"], counts["warning"], counts["critical"], output)


class Board:
    """The latest state and the number of its changes. `now`: seconds of any clock that only goes forward."""

    def __init__(self, now: float) -> None:
        self._started = now
        self._seen: dict[str, Health] | None = None
        self._changes: Counter[str] = Counter()
        self._latest: dict[str, float] = {}
        self._recent: deque[float] = deque()

    def update(self, seen: dict[str, Health], now: float) -> list[str]:
        """Take this in; a line for each service that differs. The first time nothing does."""
        before, self._seen = self._seen, seen
        if before is None:
            return []
        changed = sorted(name for name in before.keys() | seen.keys() if before.get(name) != seen.get(name))
        for name in changed:
            self._changes[name] += 1
            self._latest[name] = now
            self._recent.append(now)
        return [_line(name, before.get(name), seen.get(name)) for name in changed]

    def rate(self, now: float) -> float:
        """Changes in a second, over the last minute."""
        while self._recent and self._recent[0] < now - _WINDOW:
            self._recent.popleft()
        return len(self._recent) / max(min(_WINDOW, now - self._started), 1.0)

    def rows(self, now: float) -> list[tuple[list[str], str, bool]]:
        """Failing services first: the cells, the worst state, and whether it has just changed."""
        seen = self._seen or {}
        order = sorted(seen, key=lambda name: (-bool(seen[name].critical), -bool(seen[name].warning), name))
        return [(self._row(name, seen[name], now), _state(seen[name]), self._is_new(name, now)) for name in order]

    def _is_new(self, name: str, now: float) -> bool:
        return name in self._latest and now - self._latest[name] < _MARKED

    def _row(self, name: str, health: Health, now: float) -> list[str]:
        latest = f"{int(now - self._latest[name])}s ago" if name in self._latest else ""
        counts = (health.instances, health.passing, health.warning, health.critical, self._changes[name] or "")
        return [name, *map(str, counts), latest, health.output]

    def screen(self, environ: Mapping[str, str], now: float, height: int, note: str = "") -> RenderableType:
        """Return the table for a terminal with this number of lines."""
        from rich.console import Group
        from rich.text import Text

        found = self.rows(now)
        table, _ = new_table(environ, _HEADERS, [cells for cells, _, _ in found])
        for number, column in enumerate(table.columns):
            column.no_wrap, column.overflow = True, "ellipsis"
            column.justify = "right" if 0 < number < 6 else "left"
            if number:  # A narrow terminal cuts the counts off before the names.
                column.min_width = None
        room = max(height - 4, 1)
        for cells, state, is_new in found[:room]:
            style = _COLOURS[state] + (" reverse" if is_new else "")
            table.add_row(Text(cells[0], style=style), *map(Text, cells[1:]))
        hidden = f", {len(found) - room} more below" if len(found) > room else ""
        line = f"{len(found)} services{hidden}; {self.rate(now):.1f} changes/s; q ends"
        return Group(table, Text(f"{line}  {note}".rstrip(), style="bold yellow" if note else "dim"))


def _state(health: Health) -> str:
    return "critical" if health.critical else "warning" if health.warning else "passing"


def _line(name: str, before: Health | None, now: Health | None) -> str:
    if now is None:
        return f"{name}: gone (was {before})"
    output = f": {now.output}" if now.output else ""
    return f"{name}: {now}{output}" if before is None else f"{name}: {now} (was {before}){output}"


def without_checks(services: Iterable[str], checks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the services that no check speaks of."""
    named = {check["ServiceName"] for check in checks}
    return sorted(name for name in services if name not in named)
