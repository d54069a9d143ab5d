"""`pyconsul session`: manage the sessions that hold locks.

The API: https://developer.hashicorp.com/consul/api-docs/session
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.go.durations import format_go_duration_ns
from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import seconds, switch, text, texts
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import Report, confirm, document, format_flag, table

_NANOSECONDS = 1_000_000_000


def create(context: Context) -> None:
    """Create a session and print its ID, for scripts."""
    _no_arguments(context)
    args = context.args
    body: dict[str, Any] = {
        "Name": args[_NAME],
        "Node": args[_NODE],
        "Behavior": args[_BEHAVIOR],
        "TTL": _duration(args[_TTL]),
        "NodeChecks": args[_NODE_CHECK],
        "ServiceChecks": [{"ID": identity} for identity in args[_SERVICE_CHECK]],
    }
    given = {name: value for name, value in body.items() if value}
    if args.given(_LOCK_DELAY):
        given["LockDelay"] = _duration(args[_LOCK_DELAY]) or "0s"
    if args[_NO_CHECKS]:
        given["NodeChecks"] = []
    try:
        created = context.client.put("/v1/session/create", body=given)
    except CliError as error:
        raise during("Error creating session", error) from None
    confirm(context, str(created["ID"]), created)


def _duration(value: float) -> str:
    return format_go_duration_ns(round(value * _NANOSECONDS)) if value else ""


def list_(context: Context) -> None:
    """Print a table of sessions."""
    _no_arguments(context)
    node = context.args[_NODE]
    path = f"/v1/session/node/{quote(node, slash=False)}" if node else "/v1/session/list"
    try:
        found = context.client.get(path)
    except CliError as error:
        raise during("Error listing sessions", error) from None
    if not document(context, found):
        headers = ["ID", "Name", "Node", "TTL", "Behavior", "LockDelay", "Checks"]
        table(context, headers, [_row(one) for one in sorted(found, key=_order)])


def _order(session: dict[str, Any]) -> tuple[str, str, str]:
    return session["Node"], session["Name"], session["ID"]


def _row(session: dict[str, Any]) -> list[str]:
    checks = [*(session.get("NodeChecks") or ()), *(one["ID"] for one in session.get("ServiceChecks") or ())]
    delay = format_go_duration_ns(session.get("LockDelay") or 0)
    words = [session.get(name) or "-" for name in ("Name", "Node", "TTL", "Behavior")]
    return [session["ID"], *words, delay, ",".join(checks) or "-"]


def destroy(context: Context) -> None:
    """Destroy sessions; their locks are released. Raises CliError for one that does not exist."""
    if not context.args.rest:
        raise UsageError("Error! Missing ID argument")
    with Report(context) as report:
        for identity in context.args.rest:
            _destroy(context, identity)
            report.add(f"Destroyed session: {identity}", {"ID": identity, "Destroyed": True})


def _destroy(context: Context, identity: str) -> None:
    path = quote(identity, slash=False)
    try:
        known = context.client.get(f"/v1/session/info/{path}")  # the agent confirms the destruction of anything
        if known:
            context.client.put(f"/v1/session/destroy/{path}")
    except CliError as error:
        raise during(f"Error destroying session {identity}", error) from None
    if not known:
        raise CliError(f"Error! No session exists with the ID: {identity}", Status.NOT_FOUND)


def _no_arguments(context: Context) -> None:
    if context.args.rest:
        raise UsageError(f"Too many arguments (expected 0, got {len(context.args.rest)})")


_NAME = text("name", "Display name.", metavar="name")
_NODE = text("node", "Node of the session; the default is the node of the agent.", metavar="name")
_TTL = seconds("ttl", "Lifetime of the session without renewal, 10s to 24h; unlimited by default.")
_LOCK_DELAY = seconds(
    "lock-delay", "Time before another session can acquire a lock that this one lost; the default is 15s."
)
_BEHAVIOR = text("behavior", "Action on its keys when the session ends.", "release", choices=("release", "delete"))
_NODE_CHECK = texts("node-check", "Node check whose failure ends the session, instead of serfHealth; may be repeated.")
_SERVICE_CHECK = texts("service-check", "Service check whose failure ends the session; may be repeated.")
_NO_CHECKS = switch("no-checks", "Keep the session whatever the node checks are, including serfHealth.")
_ONLY_NODE = text("node", "Only the sessions of this node.", metavar="name")
COMMANDS = {
    "session create": Command(
        create,
        _NAME,
        _NODE,
        _TTL,
        _LOCK_DELAY,
        _BEHAVIOR,
        _NODE_CHECK,
        _SERVICE_CHECK,
        _NO_CHECKS,
        format_flag(),
        about="Prints the ID of the session, for kv put -acquire -session.",
    ),
    "session list": Command(list_, _ONLY_NODE, format_flag()),
    "session destroy": Command(destroy, format_flag(), usage="ID..."),
}
