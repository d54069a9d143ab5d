"""`pyconsul members`: who is in the cluster, as the agent knows.

The API: https://developer.hashicorp.com/consul/api-docs/agent#list-members
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import switch, text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import document, format_flag, table

#: The numbers of Serf's member states.
_STATES = ("none", "alive", "leaving", "left", "failed")
_ROLES = {"consul": "server", "node": "client"}


def members(context: Context) -> int | None:
    """Print a table; the exit code is 2 when no member matches."""
    pattern = _pattern(context.args[_STATUS])
    query = {"filter": context.args[_FILTER]} if context.args[_FILTER] else {}
    if context.args[_WAN]:
        query["wan"] = "1"
    try:
        everyone = context.client.get("/v1/agent/members", query)
    except CliError as error:
        raise during("Error retrieving members", error) from None
    found = sorted((m for m in everyone if pattern.search(_state(m))), key=_order)
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


def _pattern(text: str) -> Any:
    import re

    try:
        return re.compile(text or ".*")
    except re.error as error:
        raise UsageError(f"Failed to compile status regexp: {error}") from None


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
    head = [member["Name"], _address(member), _state(member)]
    role = _ROLES.get(tags.get("role", ""))
    if role is None:
        return [*head, "unknown", "", "", "", "", ""]
    build = tags.get("build", "").partition(":")[0] or "< 0.3"
    return [*head, role, build, tags.get("vsn", ""), tags.get("dc", ""), tags.get("ap") or "default", _segment(member)]


def _detailed_row(member: dict[str, Any]) -> list[str]:
    tags = ",".join(f"{key}={value}" for key, value in sorted(member["Tags"].items()))
    return [member["Name"], _address(member), _state(member), tags]


def _address(member: dict[str, Any]) -> str:
    host = member["Addr"]
    return f"[{host}]:{member['Port']}" if ":" in host else f"{host}:{member['Port']}"


_DETAILED = switch("detailed", "Print every tag of the members.")
_WAN = switch("wan", "List the servers of all datacenters instead of the members of this one.")
_STATUS = text("status", "Only members whose status matches this regular expression.", ".*", metavar="regexp")
_FILTER = text("filter", "Filter expression for the members.", metavar="expression")
_SEGMENT = text("segment", "Accepted for compatibility with Consul Enterprise.", hidden=True)
COMMANDS = {
    "members": Command(
        members,
        _DETAILED,
        _WAN,
        _STATUS,
        _FILTER,
        _SEGMENT,
        format_flag(),
        about="Exits with 2 when no member matches.",
    ),
}
