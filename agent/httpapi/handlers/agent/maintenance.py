"""/v1/agent/maintenance and /v1/agent/service/maintenance: maintenance mode of a node or a service.

https://developer.hashicorp.com/consul/api-docs/agent#enable-maintenance-mode
"""

from __future__ import annotations

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import EMPTY, Response, bad_request
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.httpapi.handlers.agent.services import caller_for

TRUE = ("1", "t", "T", "true", "TRUE", "True")
FALSE = ("0", "f", "F", "false", "FALSE", "False")


async def of_node(context: Context, request: Request) -> Response:
    """Put the node into maintenance mode, or take it out."""
    enable = _enable(request)
    if enable:
        await context.agent.begin_maintenance(request.caller, "", request.params.get("reason", ""), request.token)
    else:
        await context.agent.end_maintenance(request.caller, "")
    return EMPTY


async def of_service(context: Context, request: Request) -> Response:
    """Put a service into maintenance mode, or take it out."""
    service_id = request.tail
    if not service_id:
        raise bad_request("Missing service ID")
    enable = _enable(request)
    caller = caller_for(context, request, service_id)
    if enable:
        await context.agent.begin_maintenance(caller, service_id, request.params.get("reason", ""), request.token)
    else:
        await context.agent.end_maintenance(caller, service_id)
    return EMPTY


def _enable(request: Request) -> bool:
    text = request.params.get("enable")
    if text is None:
        raise bad_request("Missing value for enable")
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise bad_request(f'Invalid value for enable: "{text}"')


ROUTES = (
    Route("/v1/agent/maintenance", {"PUT": Local(of_node, "handler node:write")}),
    Route("/v1/agent/service/maintenance/", {"PUT": Local(of_service, "handler service:write")}),
)
