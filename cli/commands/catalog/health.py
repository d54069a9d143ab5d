"""`pyconsul health`: the state of the checks, once or live.

The API: https://developer.hashicorp.com/consul/api-docs/health
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import switch, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.monitor.health_table import HEADERS, STATES, Check, rows, screen, summary
from pyconsul.cli.output.render import document, format_flag, table
from pyconsul.cli.output.terminal import console, on_terminal

#: Seconds before an agent that does not answer is asked again.
RETRY = 2.0


def health(context: Context) -> int | None:
    """Print the checks; the exit code is 2 when a service is named that has none."""
    if len(context.args.rest) > 1:
        raise UsageError(f"Too many arguments (expected 1, got {len(context.args.rest)})")
    if context.args[_WATCH]:
        _watch(context)
        return None
    try:
        found, _ = _ask(context, 0)
    except CliError as error:
        raise during("Error querying checks", error) from None
    if not document(context, found):
        _print(context, found)
    return Status.NO_MATCH if context.args.rest and not found else None


def _ask(context: Context, index: int) -> tuple[list[Check], int]:
    """Return the checks and their index; with an index it waits until there are others. Raises CliError."""
    args = context.args
    service = args.rest[0] if args.rest else ""
    state = args[_STATE]
    path = f"/v1/health/checks/{quote(service, slash=False)}" if service else f"/v1/health/state/{state or 'any'}"
    query = {"filter": args[_FILTER]} if args[_FILTER] else {}
    response = context.client.request("GET", path, {**query, **({"index": str(index)} if index else {})}).checked()
    found: list[dict[str, Any]] = response.json()
    if service and state not in ("", "any"):
        found = [check for check in found if check["Status"] == state]
    # An index that goes backwards means that the agent's state was replaced.
    return found, response.index if response.index >= index else 0


def _print(context: Context, checks: list[Check]) -> None:
    if on_terminal(context):
        found, needed = screen(context.environ, checks)
        with console(context) as shown:
            shown.width = max(shown.width, needed)
            shown.print(found)
    else:
        table(context, HEADERS, rows(checks))


def _watch(context: Context) -> None:
    """Show the checks until interrupted: a live screen on a terminal, elsewhere a table after each change."""
    if not on_terminal(context):
        for checks, trouble in _changes(context):
            if trouble:
                context.note(trouble)
            elif not document(context, checks):
                context.out(f"{time.strftime('%H:%M:%S')}  {summary(checks)}")
                table(context, HEADERS, rows(checks))
            context.stdout.flush()
        return
    from rich.live import Live

    with console(context) as shown, Live(console=shown, screen=True, auto_refresh=False) as live:
        for checks, trouble in _changes(context):
            note = trouble or f"since {time.strftime('%H:%M:%S')}; Ctrl-C ends"
            live.update(screen(context.environ, checks, note)[0], refresh=True)


def _changes(context: Context) -> Iterator[tuple[list[Check], str]]:
    """Yield the checks after each change; or the last ones, and the agent's error."""
    index, last = 0, list[Check]()
    fresh = True
    while True:
        try:
            found, index = _ask(context, index)
        except CliError as error:
            if error.status in (Status.DENIED, Status.USAGE):
                raise
            index, fresh = 0, True
            yield last, str(error).partition("\n")[0]
            time.sleep(RETRY)
            continue
        if fresh or found != last:
            last, fresh = found, False
            yield found, ""


_STATE = text("state", "Only checks in this state.", metavar="state", choices=("any", *STATES))
_FILTER = text("filter", "Filter expression for the checks.", metavar="expression")
_WATCH = switch("watch", "Show every change until Ctrl-C.")
COMMANDS = {
    "health": Command(
        health,
        _STATE,
        _FILTER,
        _WATCH,
        format_flag(),
        usage="[SERVICE]",
        about="Exits with 2 when a service is named that has no checks.",
    )
}
