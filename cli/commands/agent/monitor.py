"""`pyconsul monitor`: follow the agent's log, or its services, until interrupted."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

from pyconsul.agent.common.options import switch, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import ApiError, CliError, during
from pyconsul.cli.help.command import Command


class Stopped(Exception):
    """SIGINT or SIGTERM: a normal end."""


def monitor(context: Context) -> None:
    """Print the log's lines as they come; with -services show the health of all services instead."""
    if context.args[_SERVICES]:
        from pyconsul.cli.monitor.services import monitor_services

        monitor_services(context)
        return
    query = {"loglevel": context.args[_LOG_LEVEL].lower()}
    if context.args[_LOG_JSON]:
        query["logjson"] = "true"
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        response, pieces = context.client.stream("GET", "/v1/agent/monitor", query)
        if response.status != 200:
            raise ApiError(response.status, b"".join(pieces).decode("utf-8", "replace"))
        for piece in pieces:
            context.stdout.write(piece)
            context.stdout.flush()
    except Stopped:
        return
    except CliError as error:
        raise during("Error starting monitor", error) from None
    context.note("Remote side ended the monitor! This usually means that the remote side has exited or crashed.")


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped


_LOG_LEVEL = text("log-level", "Minimum level: trace, debug, info, warn or error.", "info", metavar="level")
_LOG_JSON = switch("log-json", "Print JSON lines.")
_SERVICES = switch(
    "services",
    "Show all services and the health of their instances, failing ones first, live; in a pipe a line for each change.",
)
COMMANDS = {
    "monitor": Command(
        monitor,
        _LOG_LEVEL,
        _LOG_JSON,
        _SERVICES,
    ),
}
