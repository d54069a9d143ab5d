"""`pyconsul members`: who is in the cluster, as the agent knows.

The API: https://developer.hashicorp.com/consul/api-docs/agent#list-members
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyconsul.agent.common.options import switch, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, printable
from pyconsul.cli.exit_status import Status
from pyconsul.cli.go_regexp import compile_regexp
from pyconsul.cli.help.command import Command
from pyconsul.cli.http.unreachable import failure
from pyconsul.cli.output.render import document, format_flag, table

#: The numbers of Serf's member states.
_STATES = ("none", "alive", "leaving", "left", "failed")
_PARTITION, _ALL_SEGMENTS = "default", "_all"
_ROLES = {"consul": "server", "node": "client"}


def members(context: Context) -> int | None:
    """Print a table; the exit code is 2 when no member matches."""
    if context.args[_WHY]:
        _print_why(context, context.args[_WHY])
        return None
    matches = _matcher(context.args[_STATUS])
    query = {"segment": context.args[_SEGMENT] or _ALL_SEGMENTS}
    if context.args[_FILTER]:
        query["filter"] = context.args[_FILTER]
    if context.args[_WAN]:
        query["wan"] = "1"
    found = sorted((member for member in _ask(context, query) if matches(_state(member))), key=_order)
    if not found:
        return Status.NO_MATCH
    if document(context, found):
        return None
    if context.args[_DETAILED]:
        table(context, ["Node", "Address", "Status", "Tags"], [_detailed_row(member) for member in found])
    else:
        headers = ["Node", "Address", "Status", "Type", "Build", "Protocol", "DC", "Partition", "Segment"]
        table(context, headers, [_row(member) for member in found])
    return None


def _print_why(context: Context, name: str) -> None:
    """Print why a member has its status, a sentence a line. Raises CliError."""
    if context.args[_WAN]:
        raise UsageError("-why is about the members of this datacenter: give it without -wan")
    found = _ask(context, {"explain": name})
    if any("Reasons" not in explained for explained in found):
        raise CliError("the agent explains no members: -why needs an agent of pyconsul")
    if document(context, found):
        return
    for explained in found:
        member = explained["Member"]
        context.out(f"{_line(member['Name'])}  {_address(member)}  {_state(member)}")
        for reason in explained["Reasons"]:
            context.out(f"  {_line(reason)}")


def _ask(context: Context, query: dict[str, str]) -> list[Any]:
    try:
        return context.client.request("GET", "/v1/agent/members", query).checked().rows()
    except CliError as error:
        words = "&".join(f"{name}={value}" for name, value in sorted(query.items()))
        reason = failure(error, context.client.address, "Get", f"/v1/agent/members?{words}")
        raise CliError(f"Error retrieving members: {reason}", error.status) from None


def _matcher(pattern: str) -> Callable[[str], bool]:
    if pattern in ("", ".*"):
        return lambda state: True
    try:
        return compile_regexp(pattern)
    except ValueError as error:
        raise CliError(f"Failed to compile status regexp: {error}", Status.USAGE) from None


def _state(member: dict[str, Any]) -> str:
    number = member["Status"]
    return _STATES[number] if 0 <= number < len(_STATES) else "unknown"


def _order(member: dict[str, Any]) -> tuple[bool, str, str]:
    """Servers first, then by segment and name."""
    return member["Tags"].get("role") != "consul", _segment(member), member["Name"]


def _segment(member: dict[str, Any]) -> str:
    return "<all>" if member["Tags"].get("role") == "consul" else member["Tags"].get("segment") or "<default>"


def _row(member: dict[str, Any]) -> list[str]:
    tags = member["Tags"]
    head = [_line(member["Name"]), _address(member), _state(member)]
    role = _ROLES.get(tags.get("role", ""))
    if role is None:
        return [*head, "unknown", "", "", "", "", ""]
    build = tags.get("build", "").partition(":")[0] or "< 0.3"
    values = (build, tags.get("vsn", ""), tags.get("dc", ""), tags.get("ap") or _PARTITION, _segment(member))
    return [*head, role, *map(_line, values)]


def _detailed_row(member: dict[str, Any]) -> list[str]:
    tags = member["Tags"] | {"ap": member["Tags"].get("ap") or _PARTITION, "segment": _segment(member)}
    text = ",".join(f"{key}={value}" for key, value in sorted(tags.items()))
    return [_line(member["Name"]), _address(member), _state(member), _line(text)]


def _line(text: str) -> str:
    """Return a text of another member without line breaks, which would look like more members."""
    return printable(text).replace("\n", "\ufffd")


def _address(member: dict[str, Any]) -> str:
    host = member["Addr"]
    return f"[{host}]:{member['Port']}" if ":" in host else f"{host}:{member['Port']}"


_WHY = text("why", "Explain why this member is alive, suspected, failed or left.", metavar="node")
_DETAILED = switch("detailed", "Print every tag of the members.")
_WAN = switch("wan", "List the servers of all datacenters instead of the members of this one.")
_STATUS = text("status", "Only members whose status matches this regular expression.", ".*", metavar="regexp")
_FILTER = text("filter", "Filter expression for the members.", metavar="expression")
_SEGMENT = text("segment", "Accepted for compatibility with Consul Enterprise; agents refuse it.", hidden=True)
COMMANDS = {
    "members": Command(
        members,
        _DETAILED,
        _WAN,
        _STATUS,
        _FILTER,
        _SEGMENT,
        _WHY,
        format_flag(),
        lenient=True,
        about="Exits with 2 when no member matches. With -why, prints what this agent knows of one member: who suspects it, "
        "missed probes, the last answer, and whether UDP is blocked or its gossip key differs.",
    ),
}
