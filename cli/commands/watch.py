"""`pyconsul watch`: run a handler whenever what it watches changes, or print it once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from pyconsul.cli.command import Command
from pyconsul.cli.context import Context
from pyconsul.cli.errors import ApiError, CliError, during
from pyconsul.cli.flag import switch, text
from pyconsul.cli.render import as_json
from pyconsul.cli.status import Status
from pyconsul.cli.subshell import child_words, exit_text
from pyconsul.cli.watchplan import TYPES, Plan, plan

#: Seconds before a failed query is tried again: this, times the square of the failures, up to the limit.
RETRY, RETRY_LIMIT = 5.0, 180.0


def watch(context: Context) -> int | None:
    """Ends after one answer without a handler, else when interrupted (0) or when the handler fails (1)."""
    wanted = plan(context.args)
    try:
        context.client.get("/v1/agent/self")
    except CliError as error:
        raise during("Error querying Consul agent", error) from None
    handler = Handler(context) if context.args.rest else None
    while True:
        index, data = next_change(context, wanted)
        if handler is None:
            context.out(as_json(data))
            return None
        if not handler.run(index, data):
            return Status.FAILURE


def next_change(context: Context, wanted: Plan) -> tuple[int, Any]:
    """Wait until there is news; errors are reported and tried again for ever."""
    failures = 0
    while True:
        try:
            response = context.client.request("GET", wanted.path, wanted.question())
            answer = None if response.status == 404 else response.checked().json()
            if answer is None and wanted.kind not in ("key", "keyprefix"):
                raise ApiError(response.status, response.text())
        except CliError as error:
            failures += 1
            delay = min(RETRY * failures**2, RETRY_LIMIT)
            reason = str(error).partition("\n")[0]
            context.note(f"Watch (type: {wanted.kind}) errored: {reason} Retry in {delay:g}s")
            time.sleep(delay)
            wanted.resume()
            continue
        failures = 0
        news, data = wanted.step(response.index, answer)
        if news:
            return response.index, data


class Handler:
    """Runs the handler's command with the data on its standard input; SIGINT and SIGTERM end both with 0."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._words = child_words(context.args.rest, context.environ, shell=context.args.switch("shell"))
        self._child: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: object) -> NoReturn:
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(number)
        sys.stdout.flush()
        os._exit(0)  # the handler may go on; nobody waits for it

    def run(self, index: int, data: Any) -> bool:
        """Run it once; whether it succeeded."""
        document = _compact(data)
        sys.stdout.flush()
        environment = {**self._context.environ, "CONSUL_INDEX": str(index)}
        try:
            self._child = subprocess.Popen(self._words, stdin=subprocess.PIPE, env=environment)
        except OSError as error:
            self._context.note(f"Error starting handler: {error}")
            return False
        self._child.communicate(document)
        if self._child.returncode:
            self._context.note(f"Error executing handler: {exit_text(self._child.returncode)}")
        return self._child.returncode == 0


def _compact(data: Any) -> bytes:
    import json

    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"


_ONLY: Sequence[tuple[str, str]] = (
    ("key", "The key; for -type=key."),
    ("prefix", "The prefix; for -type=keyprefix."),
    ("service", "The service; for -type=service and checks."),
    ("tag", "Only instances with this tag; for -type=service."),
    ("passingonly", "true: only instances that pass all checks; for -type=service."),
    ("state", "Only checks in this state; for -type=checks."),
    ("name", "Only events of this name; for -type=event."),
    ("filter", "A filter expression; for services, nodes, service and checks."),
)
COMMANDS = {
    "watch": Command(
        watch,
        text("type", f"What to watch: {', '.join(TYPES)}.", metavar="type"),
        *(text(name, help_text) for name, help_text in _ONLY),
        switch("shell", "Run the handler through the shell that SHELL names, or /bin/sh.", True),
        usage="[HANDLER...]",
        about="The handler gets the data as JSON on its standard input and the index as CONSUL_INDEX. "
        "Without a handler the data is printed once.",
    ),
}
