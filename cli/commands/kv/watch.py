"""`pyconsul kv watch`: the changes of a key, or of a tree, as they happen."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import switch
from pyconsul.agent.common.watch_plan import Plan
from pyconsul.cli.commands.kv.get import key_argument, value_of
from pyconsul.cli.context import Context
from pyconsul.cli.errors import UsageError
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import check_format, format_flag, streamed
from pyconsul.cli.watch.loop import Follower

Entries = dict[str, dict[str, Any]]


def watch(context: Context) -> None:
    """Print the present values, then each change, until interrupted."""
    key = key_argument(context.args.rest)
    recurse = context.args[_RECURSE] or key.endswith("/") or context.args.rest == ["/"]
    if not key and not recurse:
        raise UsageError("Error! Missing KEY argument")
    plan = Plan("keyprefix" if recurse else "key", "/v1/kv/" + quote(key), {"recurse": ""} if recurse else {})
    follower = Follower(context, plan)
    seen: Entries = {}
    first = True
    while True:
        _, data = follower.next()
        found: list[dict[str, Any]] = [] if data is None else data if isinstance(data, list) else [data]
        now = {entry["Key"]: entry for entry in found}
        if recurse:
            _print_changes(context, seen, now, quiet=first and context.args[_NEW])
        elif not (first and context.args[_NEW]):
            _print_value(context, key, now)
        context.stdout.flush()
        seen, first = now, False
        if context.args[_ONCE]:
            return


def _print_value(context: Context, key: str, now: Entries) -> None:
    if check_format(context) != "table":
        streamed(context, b"", now.get(key))
    elif key in now:
        context.out(value_of(now[key]))
    else:
        context.note(f"No key exists at: {key}")


def _print_changes(context: Context, seen: Entries, now: Entries, *, quiet: bool) -> None:
    for key in () if quiet else sorted(seen.keys() | now.keys()):
        before, after = seen.get(key), now.get(key)
        name = key.encode("utf-8", "surrogateescape")
        if after is None:
            streamed(context, b"- " + name, {"Change": "deleted", "Entry": before})
        elif before is None:
            streamed(context, b"+ " + name + b":" + value_of(after), {"Change": "created", "Entry": after})
        elif before["ModifyIndex"] != after["ModifyIndex"]:
            streamed(context, b"~ " + name + b":" + value_of(after), {"Change": "written", "Entry": after})


_RECURSE = switch(
    "recurse", "Follow every key below the prefix: + created, ~ written, - deleted; implied by a / at its end."
)
_NEW = switch("new", "Do not print the initial state.")
_ONCE = switch("once", "Exit after the first result.")
COMMANDS = {
    "kv watch": Command(
        watch,
        _RECURSE,
        _NEW,
        _ONCE,
        format_flag(),
        usage="KEY_OR_PREFIX",
        about="To run a program at each change, use pyconsul watch -type=key or -type=keyprefix.",
    )
}
