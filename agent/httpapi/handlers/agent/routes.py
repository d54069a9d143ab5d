"""The endpoints below /v1/agent and /v1/event."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.router import Route
from pyconsul.agent.httpapi.handlers import event
from pyconsul.agent.httpapi.handlers.agent import (
    checks,
    control,
    health,
    host,
    maintenance,
    metrics,
    monitor,
    self_info,
    services,
)

AGENT_ROUTES = (
    Route("GET", "/v1/agent/self", self_info.show_self, reads=False, permission="agent:read"),
    Route("GET", "/v1/agent/members", self_info.members, reads=False, permission="filter node"),
    Route("GET", "/v1/agent/version", self_info.version, reads=False, permission="open"),
    Route("GET", "/v1/agent/host", host.show_host, reads=False, permission="operator:read"),
    Route("GET", "/v1/agent/metrics", metrics.show_metrics, reads=False, permission="agent:read"),
    Route("GET", "/v1/agent/monitor", monitor.monitor, reads=False, permission="agent:read"),
    Route("PUT", "/v1/agent/reload", control.reload, reads=False, permission="agent:write"),
    Route("PUT", "/v1/agent/leave", control.leave, reads=False, permission="agent:write"),
    Route("PUT", "/v1/agent/join/", control.join, reads=False, permission="agent:write"),
    Route("PUT", "/v1/agent/force-leave/", control.force_leave, reads=False, permission="operator:write"),
    Route("PUT", "/v1/agent/token/", control.set_token, reads=False, permission="agent:write"),
    Route("PUT", "/v1/agent/maintenance", maintenance.of_node, reads=False, permission="handler node:write"),
    Route("GET", "/v1/agent/services", services.list_services, reads=False, permission="filter service"),
    Route("GET", "/v1/agent/service/", services.show_service, reads=False, permission="handler service:read"),
    Route("PUT", "/v1/agent/service/register", services.register, reads=False, permission="handler service:write"),
    Route(
        "PUT",
        "/v1/agent/service/deregister/",
        services.deregister,
        reads=False,
        permission="handler service:write",
    ),
    Route(
        "PUT",
        "/v1/agent/service/maintenance/",
        maintenance.of_service,
        reads=False,
        permission="handler service:write",
    ),
    Route("GET", "/v1/agent/health/service/id/", health.by_id, reads=False, permission="handler service:read"),
    Route("GET", "/v1/agent/health/service/name/", health.by_name, reads=False, permission="handler service:read"),
    Route("GET", "/v1/agent/checks", checks.list_checks, reads=False, permission="filter node"),
    Route("PUT", "/v1/agent/check/register", checks.register, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/agent/check/deregister/", checks.deregister, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/agent/check/pass/", checks.report_passing, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/agent/check/warn/", checks.report_warning, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/agent/check/fail/", checks.report_critical, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/agent/check/update/", checks.update, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/event/fire/", event.fire, permission="handler event:write"),
    Route("GET", "/v1/event/list", event.list_events, reads=False, permission="filter event"),
)
