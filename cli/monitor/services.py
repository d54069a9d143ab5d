"""`pyconsul monitor -services`: a screen of all services, as top shows processes; in a pipe a line for each change."""

from __future__ import annotations

import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.monitor.service_top import Board, Health, healths, without_checks
from pyconsul.cli.output.terminal import console, on_terminal

#: Seconds that one query waits for a change; then keys are read and ages are drawn again.
_TICK = 1.0
#: Seconds before an agent that does not answer is asked again.
_RETRY = 1.0


def monitor_services(context: Context) -> None:
    """Show the services until q or Ctrl-C. Raises CliError when the agent refuses to answer."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # The terminal is to be left as it was.
    source = _Source(context)
    board = Board(time.monotonic())
    try:
        if on_terminal(context):
            _draw(context, source, board)
        else:
            _print(context, source, board)
    except KeyboardInterrupt:
        return


class _Source:
    """Asks for checks and services. Blocks for a moment at most."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._index = 0
        self._services: dict[str, Any] | None = None
        self._unchecked: dict[str, int] = {}
        self._checks: list[dict[str, Any]] = []

    def next(self) -> dict[str, Health]:
        """Return the health of all services now. Raises CliError."""
        client = self._context.client
        query = {"index": str(self._index), "wait": f"{int(_TICK * 1000)}ms"} if self._index else {}
        try:
            response = client.request("GET", "/v1/health/state/any", query).checked()
            self._checks = response.json()
            self._index = response.index if response.index >= self._index else 0
            services = client.get("/v1/catalog/services")
            lonely = without_checks(services, self._checks)
            if services != self._services or lonely != sorted(self._unchecked):
                self._unchecked = {
                    name: len(client.get(f"/v1/catalog/service/{quote(name, slash=False)}")) for name in lonely
                }
            self._services = services
        except CliError:
            self._index, self._services = 0, None
            raise
        return healths(self._checks, self._unchecked)


def _rounds(source: _Source) -> Iterator[tuple[dict[str, Health] | None, str]]:
    """Yield the services again and again; None and the error while the agent does not answer."""
    while True:
        try:
            found = source.next()
        except CliError as error:
            if error.status in (Status.DENIED, Status.USAGE):
                raise
            yield None, str(error).partition("\n")[0]
            time.sleep(_RETRY)
            continue
        yield found, ""


def _print(context: Context, source: _Source, board: Board) -> None:
    told = ""
    for found, trouble in _rounds(source):
        if trouble and not told:
            context.note(trouble)
        elif told and not trouble:
            context.note("The agent answers again.")
        told = trouble
        for line in board.update(found, time.monotonic()) if found is not None else ():
            context.out(f"{time.strftime('%H:%M:%S')}  {line}")
        context.stdout.flush()


def _draw(context: Context, source: _Source, board: Board) -> None:
    from rich.live import Live

    with console(context) as shown, _keys() as pressed, Live(console=shown, screen=True, auto_refresh=False) as live:
        for found, trouble in _rounds(source):
            now = time.monotonic()
            if found is not None:
                board.update(found, now)
            live.update(board.screen(context.environ, now, shown.size.height, trouble), refresh=True)
            if "q" in pressed():
                return


@contextmanager
def _keys() -> Iterator[Any]:
    """Returns the keys typed since the last call; nothing when standard input is not a terminal."""
    if not sys.stdin.isatty():
        yield lambda: ""
        return
    import os
    import termios
    import tty

    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)

    def typed() -> str:
        return os.read(handle, 64).decode(errors="replace") if select.select([handle], [], [], 0)[0] else ""

    try:
        tty.setcbreak(handle)
        yield typed
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
