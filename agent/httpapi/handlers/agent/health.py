"""/v1/agent/health/service: what an agent itself knows of its services' health, with a status for load balancers.

https://developer.hashicorp.com/consul/api-docs/agent/service#get-local-service-health
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response, json_response, server_error
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.httpapi.handlers.agent.services import AgentService, agent_service
from pyconsul.agent.model.check import CRITICAL, MAINTENANCE, PASSING, WARNING, HealthCheck
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.model.wire import camel
from pyconsul.agent.reads import local as reads
from pyconsul.agent.sync.checks import NODE_MAINTENANCE, SERVICE_MAINTENANCE

STATUSES = {PASSING: 200, WARNING: 429, CRITICAL: 503, MAINTENANCE: 503}
# Consul shows the checks here as its client library has them, with every field of a definition.
DEFINITION: dict[str, Any] = {
    "Interval": "0s", "Timeout": "0s", "DeregisterCriticalServiceAfter": "0s", "HTTP": "", "Header": None, "Method": "",
    "Body": "", "TLSServerName": "", "TLSSkipVerify": False, "TCP": "", "TCPUseTLS": False, "UDP": "", "GRPC": "",
    "OSService": "", "GRPCUseTLS": False,
}  # fmt: skip
PLAIN = ((b"Content-Type", b"text/plain"),)


class ShownCheck(msgspec.Struct, frozen=True, rename=camel):
    """A check as Consul's client library has it."""

    node: str
    check_id: str
    name: str
    status: str
    notes: str
    output: str
    service_id: str
    service_name: str
    service_tags: list[str] | None
    create_index: int
    modify_index: int
    type: str = ""
    definition: dict[str, Any] = msgspec.field(default_factory=lambda: DEFINITION)


class ServiceHealth(msgspec.Struct, frozen=True, rename=camel):
    """A service, its checks and the node's, and the worst of their statuses."""

    aggregated_status: str
    service: AgentService | None
    checks: list[ShownCheck] | None


def by_id(context: Context, request: Request) -> Response:
    """Return the health of one service."""
    service_id = request.tail
    if not service_id:
        raise server_error("Missing serviceID")
    local = context.agent.local
    # The caller is asked for after the first test: an unknown ID is a 404 for unknown tokens, too.
    if service_id not in local.services or (service := reads.service(local, request.caller, service_id)) is None:
        if _wants_text(request):
            return Response(404, f"ServiceId {service_id} not found".encode(), PLAIN)
        return json_response(ServiceHealth(CRITICAL, None, None), 404)
    found = _health(context, request.caller, service)
    status = found.aggregated_status
    return _text(status) if _wants_text(request) else json_response(found, STATUSES[status])


def by_name(context: Context, request: Request) -> Response:
    """Return the health of all services of a name; the worst of them decides the status."""
    name = request.tail
    if not name:
        raise server_error("Missing service Name")
    services = reads.services_named(context.agent.local, request.caller, name)
    if not services:
        if _wants_text(request):
            return Response(404, f"ServiceName {name} Not Found".encode(), PLAIN)
        return json_response([], 404)
    found = [_health(context, request.caller, service) for service in services]
    worst = _worst(one.aggregated_status for one in found)
    return _text(worst) if _wants_text(request) else json_response(found, STATUSES[worst])


def _wants_text(request: Request) -> bool:
    if "format" in request:
        return request.params["format"] == "text"
    return request.headers.get(b"accept", b"").startswith(b"text/plain")


def _text(status: str) -> Response:
    return Response(STATUSES[status], status.encode(), PLAIN)


def _health(context: Context, caller: Authorizer, service: NodeService) -> ServiceHealth:
    checks = reads.health(context.agent.local, caller, service)
    status = _worst(_status(check) for check in checks)
    shown = [_shown(check) for check in checks]
    return ServiceHealth(status, agent_service(service, context.config.datacenter), shown)


def _shown(check: HealthCheck) -> ShownCheck:
    return ShownCheck(
        node=check.node,
        check_id=check.check_id,
        name=check.name,
        status=check.status,
        notes=check.notes,
        output=check.output,
        service_id=check.service_id,
        service_name=check.service_name,
        service_tags=check.service_tags or None,
        create_index=check.create_index,
        modify_index=check.modify_index,
    )


def _status(check: HealthCheck) -> str:
    maintenance = check.check_id == NODE_MAINTENANCE or check.check_id.startswith(SERVICE_MAINTENANCE)
    return MAINTENANCE if maintenance else check.status


def _worst(statuses: Iterable[str]) -> str:
    found = set(statuses)
    return next((status for status in (MAINTENANCE, CRITICAL, WARNING) if status in found), PASSING)


ROUTES = (
    Route("/v1/agent/health/service/id/", {"GET": Local(by_id, "handler service:read")}),
    Route("/v1/agent/health/service/name/", {"GET": Local(by_name, "handler service:read")}),
)
