"""/v1/operator and /v1/status: the servers and what they hold.

Sources: https://developer.hashicorp.com/consul/api-docs/operator and
https://developer.hashicorp.com/consul/api-docs/status
"""

from __future__ import annotations

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.rendering import plain_response, query_meta
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    EMPTY,
    Query,
    Response,
    Result,
    bad_request,
    json_response,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.handlers.servers import known_servers, leader_address, servers
from pyconsul.agent.state.schemas import NODES, SERVICES
from pyconsul.agent.sync.node_registration import CONSUL

MESH_KINDS = (
    "api-gateway",
    "connect-native",
    "connect-proxy",
    "ingress-gateway",
    "mesh-gateway",
    "terminating-gateway",
)


async def raft_configuration(context: Context, request: Request) -> Response:
    """Return the servers and who of them leads and votes."""
    found = [
        {
            "ID": server.node_id,
            "Node": server.name,
            "Address": server.address,
            "Leader": server.is_leader,
            "ProtocolVersion": "3",
            "Voter": server.is_voter,
            "LastIndex": server.last_index,
        }
        for server in await servers(context, request)
    ]
    return plain_response(request, {"Servers": found, "Index": context.view.index})


async def remove_peer(context: Context, request: Request) -> Response:
    """Remove a server from the cluster; its data stays on its disk."""
    peer_id, address = request.params.get("id", ""), request.params.get("address", "")
    if not peer_id and not address:
        raise bad_request("Must specify either ?id with the server's ID or ?address with IP:port of peer to remove")
    if peer_id and address:
        raise bad_request("Must specify only one of ?id or ?address")
    found = [server for server in await servers(context, request) if peer_id in (server.node_id, "")]
    ids = [server.node_id for server in found if address in (server.address, "")]
    unknown = server_error(
        f'{"id" if peer_id else "address"} "{peer_id or address}" was not found in the Raft configuration'
    )
    if not ids:
        raise unknown
    if context.cluster is None:
        raise server_error("this is the only server: it cannot be removed")
    try:
        await context.cluster.remove(ids[0])
    except LookupError:
        raise unknown from None
    return EMPTY


async def transfer_leader(context: Context, request: Request) -> Response:
    """Transfer the leadership to a server, or to any other one."""
    peer_id = request.params.get("id", "")
    if peer_id and all(server.node_id != peer_id for server in await servers(context, request)):
        raise server_error(f"Could not find address for server id {peer_id}")
    if context.cluster is None:
        raise server_error("cannot find peer: this is the only server")
    try:
        await context.cluster.transfer_leader(peer_id)
    except LookupError:
        reason = f"the server {peer_id} has no vote yet" if peer_id else "no other server has a vote"
        raise server_error(f"cannot find peer: {reason}") from None
    return json_response({"Success": True})


def usage(context: Context, request: Request) -> Query:
    """Return the numbers of nodes, services and instances."""
    view = context.view

    def read() -> Result:
        instances = len(view[SERVICES])
        counts = {
            "Services": sum(1 for _ in view[SERVICES].values_of("name")),
            "ServiceInstances": instances,
            "ConnectServiceInstances": dict.fromkeys(MESH_KINDS, 0),
            "BillableServiceInstances": instances - len(view[SERVICES].by("name", CONSUL)),
            "Nodes": len(view[NODES]),
        }
        index = view.index_of("nodes", "services")
        value = {"Usage": {context.config.datacenter: counts}, **query_meta(request, index)}
        return Result(value, index, ("nodes", "services"))

    return Query(read)


def leader(context: Context, request: Request) -> Response:
    """Return the address of the leader; "" while there is none."""
    return json_response(leader_address(context))


def peers(context: Context, request: Request) -> Response:
    """Return the addresses of all servers; while a cluster is founded, of those that have a vote already."""
    found = known_servers(context)
    voters = [server for server in found if server.is_voter]
    shown = voters if len(voters) < context.config.bootstrap_expect else found
    return json_response([server.address for server in shown])


ROUTES = (
    Route("/v1/status/leader", {"GET": Read(leader, "open")}, stateless=True),
    Route("/v1/status/peers", {"GET": Read(peers, "open")}, stateless=True),
    Route("/v1/operator/raft/configuration", {"GET": Read(raft_configuration, "operator:read")}),
    Route("/v1/operator/raft/peer", {"DELETE": Write(remove_peer, "operator:write")}),
    Route("/v1/operator/raft/transfer-leader", {"POST": Write(transfer_leader, "operator:write")}),
    Route("/v1/operator/usage", {"GET": Read(usage, "operator:read")}, consistency=True, ignores_dc=True),
)
