"""`pyconsul join`, `leave` and `force-leave`.

The API: https://developer.hashicorp.com/consul/api-docs/agent#join-agent
"""

from __future__ import annotations

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import switch
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, printable
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.http.unreachable import failure
from pyconsul.cli.output.render import confirm, format_flag


def join(context: Context) -> None:
    """Join each address; it is enough when one of them answers. Warns of members that UDP does not reach."""
    addresses = context.args.rest
    if not addresses:
        raise UsageError("At least one address to join must be specified.")
    joined, last = 0, Status.FAILURE
    for address in addresses:
        try:
            query = {"wan": "1"} if context.args[_WAN] else {}
            path = "/v1/agent/join/" + quote(address, slash=False)
            answer = context.client.request("PUT", path, query).checked()
            joined += 1
            if warning := answer.headers.get("x-pyconsul-warning"):
                context.note(f"Warning: {printable(warning)}")
        except CliError as error:
            reason = failure(error, context.client.address, "Put", "/v1/agent/join/" + address)
            context.note(f"Error joining address '{address}': {reason}")
            last = error.status
    if not joined:
        raise CliError("Failed to join any nodes.", last)
    confirm(context, f"Successfully joined cluster by contacting {joined} nodes.", {"Joined": joined})


def leave(context: Context) -> None:
    """Let the agent leave gracefully; it shuts down."""
    if context.args.rest:
        raise UsageError(f"Unexpected extra arguments: {' '.join(context.args.rest)}")
    try:
        context.client.put("/v1/agent/leave")
    except CliError as error:
        reason = failure(error, context.client.address, "Put", "/v1/agent/leave")
        raise CliError(f"Error leaving: {reason}", error.status) from None
    confirm(context, "Graceful leave complete", {"Left": True})


def force_leave(context: Context) -> None:
    """Mark a failed member as left."""
    if len(context.args.rest) != 1:
        raise UsageError("A single node name must be specified to force leave.")
    query = {option.name: "1" for option in (_PRUNE, _WAN) if context.args[option]}
    path = "/v1/agent/force-leave/" + quote(context.args.rest[0], slash=False)
    try:
        context.client.put(path, query)
    except CliError as error:
        reason = failure(error, context.client.address, "Put", path)
        raise CliError(f"Error force leaving: {reason}", error.status) from None


_WAN = switch("wan", "Join another datacenter's servers.")
_PRUNE = switch("prune", "Remove the member from the list of members.")
_WAN_MEMBER = switch("wan", "The member belongs to another datacenter.")
COMMANDS = {
    "join": Command(join, _WAN, format_flag(), usage="ADDRESS ..."),
    "leave": Command(leave, format_flag()),
    "force-leave": Command(
        force_leave,
        _PRUNE,
        _WAN_MEMBER,
        usage="NAME",
    ),
}
