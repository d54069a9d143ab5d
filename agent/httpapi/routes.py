"""Every endpoint of the HTTP API."""

from __future__ import annotations

from pyconsul.agent.httpapi import catalog, health, kv, registration, status
from pyconsul.agent.httpapi.router import Route

ROUTES = (
    Route("GET,PUT,DELETE", "/v1/kv/", kv.endpoint),
    Route("GET", "/v1/status/leader", status.leader),
    Route("GET", "/v1/status/peers", status.peers),
    Route("PUT", "/v1/catalog/register", registration.register),
    Route("PUT", "/v1/catalog/deregister", registration.deregister),
    Route("GET", "/v1/catalog/datacenters", catalog.list_datacenters),
    Route("GET", "/v1/catalog/nodes", catalog.list_nodes, consistency=True),
    Route("GET", "/v1/catalog/services", catalog.list_services, consistency=True),
    Route("GET", "/v1/catalog/service/", catalog.list_instances, consistency=True),
    Route("GET", "/v1/catalog/node/", catalog.show_node, consistency=True),
    Route("GET", "/v1/catalog/node-services/", catalog.list_node_services, consistency=True),
    Route("GET", "/v1/health/service/", health.list_instances, consistency=True),
    Route("GET", "/v1/health/node/", health.list_node_checks, consistency=True),
    Route("GET", "/v1/health/checks/", health.list_service_checks, consistency=True),
    Route("GET", "/v1/health/state/", health.list_state, consistency=True),
)
