"""The endpoints of the servers beside the catalog: queries, coordinates, snapshots, operators."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.router import Route
from pyconsul.agent.httpapi.handlers import autopilot, coordinate, internal_ui, operator, snapshot
from pyconsul.agent.httpapi.handlers.mesh.refusals import MESH_ROUTES
from pyconsul.agent.httpapi.handlers.query import definitions

SERVER_ROUTES = (
    *MESH_ROUTES,
    Route(
        "GET,POST",
        "/v1/query",
        definitions.collection,
        consistency=True,
        meta_on_error=True,
        body_rule=definitions.body_rule,
        permission="filter query, handler query:write",
    ),
    Route(
        "",
        "/v1/query/",
        definitions.member,
        consistency=True,
        meta_on_error=True,
        body_rule=definitions.body_rule,
        permission="handler query:read",
    ),
    Route("GET", "/v1/coordinate/datacenters", coordinate.list_datacenters, reads=False, permission="open"),
    Route("GET", "/v1/coordinate/nodes", coordinate.list_nodes, meta_on_error=True, permission="filter node"),
    Route("GET", "/v1/coordinate/node/", coordinate.list_node, meta_on_error=True, permission="handler node:read"),
    Route("PUT", "/v1/coordinate/update", coordinate.update, permission="handler node:write"),
    Route("GET,PUT", "/v1/snapshot", snapshot.endpoint, body_rule=snapshot.body_rule, permission="acl:write"),
    Route("GET", "/v1/operator/raft/configuration", operator.raft_configuration, permission="operator:read"),
    Route("DELETE", "/v1/operator/raft/peer", operator.remove_peer, permission="operator:write"),
    Route("POST", "/v1/operator/raft/transfer-leader", operator.transfer_leader, permission="operator:write"),
    Route(
        "GET,POST,PUT,DELETE",
        "/v1/operator/keyring",
        operator.keyring,
        permission="keyring:read, keyring:write, keyring:write, keyring:write",
    ),
    Route("GET", "/v1/operator/usage", operator.usage, reads=False, consistency=True, permission="operator:read"),
    Route(
        "GET,PUT",
        "/v1/operator/autopilot/configuration",
        autopilot.configuration,
        permission="operator:read, operator:write",
    ),
    Route("GET", "/v1/operator/autopilot/health", autopilot.health, permission="operator:read"),
    Route("GET", "/v1/operator/autopilot/state", autopilot.state, permission="operator:read"),
    Route("GET", "/v1/internal/ui/nodes", internal_ui.list_nodes, meta_on_error=True, permission="filter node"),
    Route(
        "GET",
        "/v1/internal/ui/exported-services",
        internal_ui.exported_services,
        meta_on_error=True,
        permission="open",
    ),
    Route("GET", "/v1/internal/ui/metrics-proxy/", internal_ui.metrics_proxy, permission="open"),
    Route("GET", "/v1/internal/ui/node/", internal_ui.show_node, meta_on_error=True, permission="filter node"),
    Route(
        "GET", "/v1/internal/ui/services", internal_ui.list_services, meta_on_error=True, permission="filter service"
    ),
    Route(
        "GET",
        "/v1/internal/ui/catalog-overview",
        internal_ui.show_overview,
        meta_on_error=True,
        permission="operator:read",
    ),
)
