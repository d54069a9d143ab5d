"""/v1/operator and /v1/status: the servers and what they hold.

There is one server, this agent, and it leads.  Sources: https://developer.hashicorp.com/consul/api-docs/operator and
https://developer.hashicorp.com/consul/api-docs/status
"""

from __future__ import annotations

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.rendering import plain_response, query_meta
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import (
    Query,
    Response,
    Result,
    bad_request,
    json_response,
    server_error,
)
from pyconsul.agent.httpapi.core.router import Read, Route, Write
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


def server_address(context: Context) -> str:
    """Return where the server is reached by other servers."""
    return f"{context.config.advertise_addr}:{context.config.ports.server}"


def raft_configuration(context: Context, request: Request) -> Response:
    """Return the voting servers."""
    config, index = context.config, context.view.index
    server = {
        "ID": config.node_id,
        "Node": config.node_name,
        "Address": server_address(context),
        "Leader": True,
        "ProtocolVersion": "3",
        "Voter": True,
        "LastIndex": index,
    }
    return plain_response(request, {"Servers": [server], "Index": index})


def remove_peer(context: Context, request: Request) -> Response:
    """Refuse to remove a server: this is the only one."""
    peer_id, address = request.params.get("id", ""), request.params.get("address", "")
    if not peer_id and not address:
        raise bad_request("Must specify either ?id with the server's ID or ?address with IP:port of peer to remove")
    if peer_id and address:
        raise bad_request("Must specify only one of ?id or ?address")
    if peer_id and peer_id != context.config.node_id:
        raise server_error(f'id "{peer_id}" was not found in the Raft configuration')
    if address and address != server_address(context):
        raise server_error(f'address "{address}" was not found in the Raft configuration')
    raise server_error("this is the only server: it cannot be removed")


def transfer_leader(context: Context, request: Request) -> Response:
    """Refuse to transfer the leadership: this is the only server."""
    raise server_error("cannot find peer: this is the only server")


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
    """Return the address of the leader."""
    return json_response(server_address(context))


def peers(context: Context, request: Request) -> Response:
    """Return the addresses of all servers."""
    return json_response([server_address(context)])


ROUTES = (
    Route("/v1/status/leader", {"GET": Read(leader, "open")}, stateless=True),
    Route("/v1/status/peers", {"GET": Read(peers, "open")}, stateless=True),
    Route("/v1/operator/raft/configuration", {"GET": Read(raft_configuration, "operator:read")}),
    Route("/v1/operator/raft/peer", {"DELETE": Write(remove_peer, "operator:write")}),
    Route("/v1/operator/raft/transfer-leader", {"POST": Write(transfer_leader, "operator:write")}),
    Route("/v1/operator/usage", {"GET": Read(usage, "operator:read")}, consistency=True, ignores_dc=True),
)
