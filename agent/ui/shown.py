"""Values as pages show them: states, times, sizes, durations, first lines."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable
from typing import Any

from markupsafe import Markup, escape

from pyconsul.agent.model.check import CRITICAL, MAINTENANCE, PASSING, WARNING, HealthCheck

NONE = "none"  # the state of something without checks
ORDER = (CRITICAL, MAINTENANCE, WARNING, NONE, PASSING)  # the worst first
MAINTENANCE_IDS = ("_node_maintenance", "_service_maintenance:")
STEPS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def state_of(check: HealthCheck) -> str:
    """Return the state of a check; the checks of the maintenance mode have a state to themselves."""
    return MAINTENANCE if check.check_id.startswith(MAINTENANCE_IDS) and check.status == CRITICAL else check.status


def worst(states: Iterable[str]) -> str:
    """Return the worst of some states; NONE for none."""
    found = set(states)
    return next((state for state in ORDER if state in found), NONE)


def order_of(state: str) -> int:
    """Return the place of a state in a list that begins with the worst."""
    return ORDER.index(state) if state in ORDER else len(ORDER)


def counts(states: Iterable[str]) -> dict[str, int]:
    """Return how often each state occurs, the worst first, without zeros."""
    found = list(states)
    return {state: number for state in ORDER if (number := found.count(state))}


def iso(seconds: float) -> str:
    """Return a time of Unix seconds in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def ago(seconds: float, now: float) -> str:
    """Return how long ago a time is, or in how long it comes, in its largest unit."""
    passed = int(abs(now - seconds))
    if passed < 1:
        return "now"
    size, unit = next((size, unit) for size, unit in STEPS if passed >= size)
    amount = f"{passed // size} {unit}"
    return f"in {amount}" if seconds > now else f"{amount} ago"


def since(seconds: float | None, now: float) -> Markup:
    """Return the element of a time: relative, with the exact one as its title; scripts keep it up to date."""
    if not seconds:
        return Markup("")
    exact = iso(seconds)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, exact, ago(seconds, now))


def duration(seconds: float) -> str:
    """Return a duration in two units at most: `2 h 5 min`."""
    left = int(seconds)
    parts: list[str] = []
    for size, unit in STEPS:
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts) or (f"{seconds * 1000:.0f} ms" if seconds else "0 s")


def size(count: int) -> str:
    """Return a number of bytes: `512 B`, `3.4 KB`."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError


def first_line(text: str) -> str:
    """Return the first line of an output that is not empty, at most 200 characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 200 else line[:199] + "…"


def number(value: int) -> str:
    """Return a number with commas: `12,345`."""
    return f"{value:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: `1 check`, `3 checks`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def attributes(values: dict[str, Any]) -> Markup:
    """Return attributes of an element; None leaves one out, True gives one without a value."""
    shown = [
        f" {name}" if value is True else f' {name}="{escape(value)}"'
        for name, value in values.items()
        if value is not None and value is not False
    ]
    return Markup("".join(shown))


FILTERS: dict[str, Callable[..., Any]] = {
    "ago": ago,
    "attributes": attributes,
    "counts": counts,
    "duration": duration,
    "first_line": first_line,
    "iso": iso,
    "number": number,
    "plural": plural,
    "shell": shlex.quote,
    "since": since,
    "size": size,
    "state_of": state_of,
    "worst": worst,
}
