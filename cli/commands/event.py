"""`pyconsul event`: fire an event.

The API: https://developer.hashicorp.com/consul/api-docs/event#fire-event
"""

from __future__ import annotations

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.go_regexp import compile_regexp
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, format_flag


def event(context: Context) -> None:
    """Fire the event and print its ID."""
    args = context.args
    if not args[_NAME]:
        raise UsageError("Event name must be specified (-name)")
    filters = {option.name: args[option] for option in (_NODE, _SERVICE, _TAG) if args[option]}
    for name, pattern in filters.items():
        _check_pattern(name, pattern)
    if "tag" in filters and "service" not in filters:
        raise UsageError("Cannot provide tag filter without service filter.")
    if len(args.rest) > 1:
        raise UsageError("Too many command line arguments: expected one payload")
    payload = args.rest[0].encode("utf-8", "surrogateescape") if args.rest else b""
    path = "/v1/event/fire/" + quote(args[_NAME], slash=False)
    try:
        fired = context.client.request("PUT", path, filters, payload).checked().json()
    except CliError as error:
        raise during("Error firing event", error) from None
    confirm(context, f"Event ID: {fired['ID']}", fired)


def _check_pattern(name: str, pattern: str) -> None:
    try:
        compile_regexp(pattern)
    except ValueError as error:
        raise UsageError(f"Failed to compile {name} filter regexp: {error}") from None


_NAME = text("name", "Name of the event.", metavar="name")
_NODE = text("node", "Regular expression of the names of the receiving nodes.", metavar="regexp")
_SERVICE = text("service", "Regular expression of a service that the receiving nodes must have.", metavar="regexp")
_TAG = text("tag", "Regular expression of a tag of that service; needs -service.", metavar="regexp")
COMMANDS = {
    "event": Command(
        event,
        _NAME,
        _NODE,
        _SERVICE,
        _TAG,
        format_flag(),
        usage="[PAYLOAD]",
    ),
}
