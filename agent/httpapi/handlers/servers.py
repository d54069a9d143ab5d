"""The servers of the datacenter as the endpoints below /v1/status, /v1/operator and /v1/agent/self show them."""

from __future__ import annotations

from collections.abc import Sequence

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.httpapi.core.consistency.freshness import allows_stale
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.model.autopilot import ClusterServer
from pyconsul.agent.sync.node_registration import CONSUL_VERSION

TERM = 2  # of the leader: the first election of a single server ends in it


def server_address(context: Context) -> str:
    """Return where this server is reached by other servers."""
    host = context.config.advertise_addr
    return f"[{host}]:{context.config.ports.server}" if ":" in host else f"{host}:{context.config.ports.server}"


def only_server(context: Context) -> ClusterServer:
    """Return this server as the only one, which leads."""
    return ClusterServer(
        node_id=context.config.node_id,
        name=context.config.node_name,
        address=server_address(context),
        is_leader=True,
        is_voter=True,
        last_index=context.view.index,
        last_term=TERM,
        stable_since=context.started,
        build=CONSUL_VERSION,
    )


async def servers(context: Context, request: Request) -> Sequence[ClusterServer]:
    """Return all servers; with `?stale` those that this one has last heard of, if the quorum is missing.  Raises EngineError."""
    if context.cluster is None:
        return [only_server(context)]
    try:
        found = await context.cluster.servers()
    except EngineError:
        if not allows_stale(request):
            raise
        found = context.cluster.last_known_servers()
    return sorted(found, key=lambda server: server.name)


async def judged_servers(context: Context, request: Request) -> Sequence[ClusterServer]:
    """Return all servers with their health; `?stale` asks for what autopilot saw when it last looked.  Raises EngineError."""
    return known_servers(context) if allows_stale(request) else await servers(context, request)


def known_servers(context: Context) -> Sequence[ClusterServer]:
    """Return the servers that this one has last heard of, itself included."""
    if context.cluster is None:
        return [only_server(context)]
    return sorted(context.cluster.last_known_servers(), key=lambda server: server.name)


def leader_address(context: Context) -> str:
    """Return the address of the leader; "" if there is none."""
    if context.cluster is None:
        return server_address(context)
    leader = context.cluster.leader
    return "" if leader is None else leader.address
