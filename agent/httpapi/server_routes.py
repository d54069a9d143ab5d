"""The endpoints of the servers beside the catalog: queries, coordinates, snapshots, operators."""

from __future__ import annotations

from pyconsul.agent.httpapi import autopilot, coordinate, operator, query, snapshot
from pyconsul.agent.httpapi.router import Route

SERVER_ROUTES = (
    Route("GET,POST", "/v1/query", query.collection, consistency=True, meta_on_error=True),
    Route("", "/v1/query/", query.member, consistency=True, meta_on_error=True),
    Route("GET", "/v1/coordinate/datacenters", coordinate.list_datacenters, reads=False),
    Route("GET", "/v1/coordinate/nodes", coordinate.list_nodes, meta_on_error=True),
    Route("GET", "/v1/coordinate/node/", coordinate.list_node, meta_on_error=True),
    Route("PUT", "/v1/coordinate/update", coordinate.update),
    Route("GET,PUT", "/v1/snapshot", snapshot.endpoint),
    Route("GET", "/v1/operator/raft/configuration", operator.raft_configuration),
    Route("DELETE", "/v1/operator/raft/peer", operator.remove_peer),
    Route("POST", "/v1/operator/raft/transfer-leader", operator.transfer_leader),
    Route("GET,POST,PUT,DELETE", "/v1/operator/keyring", operator.keyring),
    Route("GET", "/v1/operator/usage", operator.usage, reads=False, consistency=True),
    Route("GET,PUT", "/v1/operator/autopilot/configuration", autopilot.configuration),
    Route("GET", "/v1/operator/autopilot/health", autopilot.health),
    Route("GET", "/v1/operator/autopilot/state", autopilot.state),
)
