"""`pyconsul operator raft`: the servers that agree on the cluster's state.

The API: https://developer.hashicorp.com/consul/api-docs/operator/raft
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import ApiError, CliError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, document, format_flag, table

_HEADERS = ("Node", "ID", "Address", "State", "Voter", "RaftProtocol", "Commit Index", "Trails Leader By")


def list_peers(context: Context) -> None:
    """Print a table of the servers."""
    try:
        servers = context.client.get("/v1/operator/raft/configuration")["Servers"]
    except CliError as error:
        raise during("Error getting peers: Failed to retrieve raft configuration", error) from None
    try:
        # 429 means that a server is unhealthy; the numbers are there nevertheless.
        health = context.client.request("GET", "/v1/operator/autopilot/health")
        healths = (health if health.status == 429 else health.checked()).json().get("Servers") or ()
    except CliError as error:
        raise during("Error getting peers", error) from None
    if document(context, servers):
        return
    indexes = {server["ID"]: server["LastIndex"] for server in healths}
    last = next((indexes.get(server["ID"], 0) for server in servers if server["Leader"]), None)
    table(context, _HEADERS, [_row(server, indexes.get(server["ID"]), last) for server in servers])


def _row(server: dict[str, Any], index: int | None, last: int | None) -> list[str]:
    """Return the row of a server.  index: of its last commit.  last: that of the leader; None without one."""
    state = "leader" if server["Leader"] else "follower"
    voter = "true" if server["Voter"] else "false"
    row = [server["Node"], server["ID"], server["Address"], state, voter, server.get("ProtocolVersion") or "<=1"]
    if index is None:
        return [*row, "-"]
    if server["Leader"] or last is None:
        return [*row, str(index), "-"]
    behind = max(last - index, 0)  # the numbers are read one after the other
    trails = f"{behind} commit" + ("s" if behind > 1 else "")
    return [*row, str(index), trails]


def remove_peer(context: Context) -> None:
    """Remove a server that is gone."""
    address, identity = context.args[_ADDRESS], context.args[_ID]
    if address and identity:
        raise CliError("Error removing peer: cannot give both an address and id")
    if not address and not identity:
        raise CliError("Error removing peer: an address or id is required for the peer to remove")
    query = {"address": address} if address else {"id": identity}
    try:
        context.client.delete("/v1/operator/raft/peer", query)
    except CliError as error:
        raise during("Error removing peer", error) from None
    what = f'address "{address}"' if address else f'id "{identity}"'
    confirm(context, f"Removed peer with {what}", {**query, "Removed": True})


def transfer_leader(context: Context) -> None:
    """Transfer the leadership to another server."""
    query = {"id": context.args[_ID]} if context.args[_ID] else {}
    try:
        answer = context.client.request("POST", "/v1/operator/raft/transfer-leader", query).checked().json()
    except ApiError as error:
        text = f"Error transfering leadership: Failed to transfer leadership {error}"
        raise CliError(text, error.status) from None
    if not answer.get("Success"):
        raise CliError("Error transfering leadership: the agent did not say why")
    confirm(context, "Success", answer)


_ADDRESS = text("address", "Address of the server, as host:port.", metavar="address")
_ID = text("id", "Node ID of the server.", metavar="id")
_LEADER_ID = text("id", "Node ID of the new leader; the default is any server.", metavar="id")
COMMANDS = {
    "operator raft list-peers": Command(list_peers, format_flag()),
    "operator raft remove-peer": Command(
        remove_peer,
        _ADDRESS,
        _ID,
        format_flag(),
    ),
    "operator raft transfer-leader": Command(transfer_leader, _LEADER_ID, format_flag()),
}
