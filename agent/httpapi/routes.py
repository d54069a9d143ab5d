"""Every endpoint of the HTTP API."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.router import Route
from pyconsul.agent.httpapi.handlers import health, session, status, streams
from pyconsul.agent.httpapi.handlers.acl.routes import ACL_ROUTES
from pyconsul.agent.httpapi.handlers.agent.routes import AGENT_ROUTES
from pyconsul.agent.httpapi.handlers.catalog import listings, registration
from pyconsul.agent.httpapi.handlers.kv import entries, history
from pyconsul.agent.httpapi.handlers.server_routes import SERVER_ROUTES
from pyconsul.agent.httpapi.handlers.txn import operations

ROUTES = (
    *ACL_ROUTES,
    *AGENT_ROUTES,
    *SERVER_ROUTES,
    Route(
        "GET,PUT,DELETE",
        "/v1/kv/",
        entries.endpoint,
        strict=True,
        watched=True,
        body_rule=entries.body_rule,
        permission="handler key:read, handler key:write, handler key:write",
    ),
    Route("GET", "/v1/pyconsul/kv-history/", history.endpoint, permission="handler key:read"),
    Route(
        "PUT",
        "/v1/txn",
        operations.endpoint,
        strict=True,
        body_rule=operations.body_rule,
        permission="handler key:write",
    ),
    Route("GET", "/v1/status/leader", status.leader, permission="open"),
    Route("GET", "/v1/status/peers", status.peers, permission="open"),
    Route("PUT", "/v1/catalog/register", registration.register, permission="handler node:write"),
    Route("PUT", "/v1/catalog/deregister", registration.deregister, permission="handler node:write"),
    Route("GET", "/v1/catalog/datacenters", listings.list_datacenters, anywhere=True, permission="open"),
    Route(
        "GET",
        "/v1/catalog/nodes",
        listings.list_nodes,
        consistency=True,
        meta_on_error=True,
        watched=True,
        permission="filter node",
    ),
    Route(
        "GET",
        "/v1/catalog/services",
        listings.list_services,
        consistency=True,
        meta_on_error=True,
        cached=True,
        watched=True,
        permission="filter service",
    ),
    Route(
        "GET",
        "/v1/catalog/service/",
        listings.list_instances,
        consistency=True,
        meta_on_error=True,
        cached=True,
        watched=True,
        permission="filter service",
    ),
    Route(
        "GET",
        "/v1/catalog/node/",
        listings.show_node,
        consistency=True,
        meta_on_error=True,
        watched=True,
        permission="filter node",
    ),
    Route(
        "GET",
        "/v1/catalog/node-services/",
        listings.list_node_services,
        consistency=True,
        meta_on_error=True,
        cached=True,
        watched=True,
        permission="filter node",
    ),
    Route("PUT", "/v1/session/create", session.create, permission="handler session:write"),
    Route("PUT", "/v1/session/destroy/", session.destroy, permission="handler session:write"),
    Route("PUT", "/v1/session/renew/", session.renew, permission="handler session:write"),
    Route("GET", "/v1/session/info/", session.info, meta_on_error=True, watched=True, permission="filter session"),
    Route(
        "GET", "/v1/session/node/", session.list_of_node, meta_on_error=True, watched=True, permission="filter session"
    ),
    Route("GET", "/v1/session/list", session.list_all, meta_on_error=True, watched=True, permission="filter session"),
    Route(
        "GET",
        "/v1/health/service/",
        health.list_instances,
        consistency=True,
        cached=True,
        watched=True,
        permission="filter service",
    ),
    Route(
        "GET",
        "/v1/health/node/",
        health.list_node_checks,
        consistency=True,
        meta_on_error=True,
        watched=True,
        permission="filter node",
    ),
    Route(
        "GET",
        "/v1/health/checks/",
        health.list_service_checks,
        consistency=True,
        meta_on_error=True,
        watched=True,
        permission="filter service",
    ),
    Route(
        "GET",
        "/v1/health/state/",
        health.list_state,
        consistency=True,
        meta_on_error=True,
        watched=True,
        permission="filter node",
    ),
    Route("POST", "/v1/pyconsul/watch", streams.endpoint, reads=False, writes=False, permission="open"),
)
