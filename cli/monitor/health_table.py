"""The checks of nodes and services as rows, the worst first, and as a table in colours for terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyconsul.cli.output.render import new_table

if TYPE_CHECKING:
    from rich.console import RenderableType

HEADERS = ("Status", "Service", "Node", "Check", "Output")
#: The worst first.
STATES = ("critical", "warning", "passing")
_COLOURS = {"critical": "bold red", "warning": "yellow", "passing": "green"}

Check = dict[str, Any]


def rows(checks: Sequence[Check]) -> list[list[str]]:
    """Return a row for each check; `-` for the service of a check of the whole node."""
    return [
        [check["Status"], check["ServiceName"] or "-", check["Node"], check["Name"] or check["CheckID"], _first(check)]
        for check in sorted(checks, key=_order)
    ]


def _order(check: Check) -> tuple[int, str, str, str]:
    state = check["Status"]
    return (
        STATES.index(state) if state in STATES else -1,
        check["ServiceName"] or "",
        check["Node"],
        check["CheckID"],
    )


def _first(check: Check) -> str:
    """Return the first line of the check's output."""
    return str(check["Output"] or "").strip().partition("\n")[0]


def summary(checks: Sequence[Check]) -> str:
    """Return a text such as `2 critical, 1 warning, 40 passing`."""
    counts = {state: sum(check["Status"] == state for check in checks) for state in STATES}
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def screen(environ: Mapping[str, str], checks: Sequence[Check], note: str = "") -> tuple[RenderableType, int]:
    """Return the table for a terminal, with the summary and a note below it, and the width that it needs."""
    from rich.console import Group
    from rich.text import Text

    cells = rows(checks)
    shown, needed = new_table(environ, HEADERS, cells)
    for row in cells:
        style = _COLOURS.get(row[0], "")
        shown.add_row(Text(row[0], style=style), *(Text(cell) for cell in row[1:]))
    return Group(shown, Text(summary(checks) + (f"  {note}" if note else ""), style="dim")), needed
