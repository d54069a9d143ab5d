"""`pyconsul watch`: run a handler after each change of the watched data, or print the data or its changes.

Consul's own: https://developer.hashicorp.com/consul/commands/watch
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn

from pyconsul.agent.common.options import switch, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.watch.handler import Handler
from pyconsul.cli.watch.loop import Follower, Hangup
from pyconsul.cli.watch.plan import WATCH_FLAGS, plan
from pyconsul.cli.watch.state import StateFile
from pyconsul.cli.watch.text import difference, print_difference, shown


def watch(context: Context) -> int | None:
    """Ends after one answer with -once, or with neither handler nor -diff; else when interrupted (0), or when the
    handler fails (1)."""
    args = context.args
    wanted = plan(args)
    state = StateFile(args[_STATE_FILE], wanted, keep_answer=args[_DIFF])
    known = state.load()
    try:
        context.client.get("/v1/agent/self")
    except CliError as error:
        raise during("Error querying Consul agent", error) from None
    handler = Handler(context, shell=args[_SHELL]) if args.rest else None
    _end_on_signals(handler)
    follower = Follower(context, wanted, Hangup())
    if args[_NO_INITIAL] and not known:
        state.save(*follower.next())
    last = args[_ONCE] or not (args[_DIFF] or args.rest)
    while True:
        index, data = follower.next()
        if not _deliver(context, handler, state, index, data):
            return Status.FAILURE
        state.save(index, data)
        if last:
            return None


def _deliver(context: Context, handler: Handler | None, state: StateFile, index: int, data: Any) -> bool:
    """Run the handler, or print; whether it succeeded."""
    if not context.args[_DIFF]:
        if handler is not None:
            return handler.run(index, data)
        shown(context, data)
        return True
    lines = difference(context, state.answer, data, index)
    if handler is not None:
        return handler.run(index, data, lines)
    print_difference(context, lines)
    return True


def _end_on_signals(handler: Handler | None) -> None:
    def stop(number: int, frame: object) -> NoReturn:
        if handler is not None:
            handler.stop(number)
        sys.stdout.flush()
        os._exit(0)  # the handler may go on running

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


_SHELL = switch("shell", "Run the handler through the shell that SHELL names, or /bin/sh.", True)
_ONCE = switch("once", "Exit after the first result, or with -no-initial after the first change.")
_NO_INITIAL = switch("no-initial", "Do not report the initial state as a change.")
_DIFF = switch(
    "diff",
    "Show each change as a unified diff, and continue. A handler finds it in the file CONSUL_DIFF_FILE.",
)
_STATE_FILE = text(
    "state-file",
    "File with the position of the watch; a restarted watch continues from there.",
    metavar="path",
)
_FORMAT = text("format", "Output format.", "json", metavar="format", choices=("json", "yaml", "table"))
COMMANDS = {
    "watch": Command(
        watch,
        *WATCH_FLAGS,
        _SHELL,
        _ONCE,
        _NO_INITIAL,
        _DIFF,
        _STATE_FILE,
        _FORMAT,
        usage="[HANDLER...]",
        about="The handler gets the data as JSON on its standard input and the index as CONSUL_INDEX. "
        "Without a handler the data is printed once.\n\n"
        "SIGHUP makes it read the token file and the certificates again; it goes on at its index, and neither misses "
        "nor repeats a change. An agent that is restarted, or comes back with other data, is noticed: the handler runs "
        "if the data has changed.\n\n"
        "With -state-file a change counts as dealt with when the handler ends with 0. With -diff the file holds the "
        "last answer, too; only its owner may read it.",
    ),
}
