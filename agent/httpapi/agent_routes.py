"""The endpoints below /v1/agent and /v1/event."""

from __future__ import annotations

from pyconsul.agent.httpapi import (
    agent_checks,
    agent_control,
    agent_health,
    agent_host,
    agent_maintenance,
    agent_metrics,
    agent_monitor,
    agent_self,
    agent_services,
    event,
)
from pyconsul.agent.httpapi.router import Route

AGENT_ROUTES = (
    Route("GET", "/v1/agent/self", agent_self.show_self, reads=False, permission="agent:read"),
    Route("GET", "/v1/agent/members", agent_self.members, reads=False, permission="filter node"),
    Route("GET", "/v1/agent/version", agent_self.version, reads=False, permission="open"),
    Route("GET", "/v1/agent/host", agent_host.show_host, reads=False, permission="operator:read"),
    Route("GET", "/v1/agent/metrics", agent_metrics.show_metrics, reads=False, permission="agent:read"),
    Route("GET", "/v1/agent/monitor", agent_monitor.monitor, reads=False, permission="agent:read"),
    Route("PUT", "/v1/agent/reload", agent_control.reload, reads=False, permission="agent:write"),
    Route("PUT", "/v1/agent/leave", agent_control.leave, reads=False, permission="agent:write"),
    Route("PUT", "/v1/agent/join/", agent_control.join, reads=False, permission="agent:write"),
    Route("PUT", "/v1/agent/force-leave/", agent_control.force_leave, reads=False, permission="operator:write"),
    Route("PUT", "/v1/agent/token/", agent_control.set_token, reads=False, permission="agent:write"),
    Route("PUT", "/v1/agent/maintenance", agent_maintenance.of_node, reads=False, permission="handler node:write"),
    Route("GET", "/v1/agent/services", agent_services.list_services, reads=False, permission="filter service"),
    Route("GET", "/v1/agent/service/", agent_services.show_service, reads=False, permission="handler service:read"),
    Route(
        "PUT", "/v1/agent/service/register", agent_services.register, reads=False, permission="handler service:write"
    ),
    Route(
        "PUT",
        "/v1/agent/service/deregister/",
        agent_services.deregister,
        reads=False,
        permission="handler service:write",
    ),
    Route(
        "PUT",
        "/v1/agent/service/maintenance/",
        agent_maintenance.of_service,
        reads=False,
        permission="handler service:write",
    ),
    Route("GET", "/v1/agent/health/service/id/", agent_health.by_id, reads=False, permission="handler service:read"),
    Route(
        "GET", "/v1/agent/health/service/name/", agent_health.by_name, reads=False, permission="handler service:read"
    ),
    Route("GET", "/v1/agent/checks", agent_checks.list_checks, reads=False, permission="filter node"),
    Route("PUT", "/v1/agent/check/register", agent_checks.register, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/agent/check/deregister/", agent_checks.deregister, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/agent/check/pass/", agent_checks.report_passing, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/agent/check/warn/", agent_checks.report_warning, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/agent/check/fail/", agent_checks.report_critical, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/agent/check/update/", agent_checks.update, reads=False, permission="handler node:write"),
    Route("PUT", "/v1/event/fire/", event.fire, permission="handler event:write"),
    Route("GET", "/v1/event/list", event.list_events, reads=False, permission="filter event"),
)
