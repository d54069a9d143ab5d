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
    Route("GET", "/v1/agent/self", agent_self.show_self, reads=False),
    Route("GET", "/v1/agent/members", agent_self.members, reads=False),
    Route("GET", "/v1/agent/version", agent_self.version, reads=False),
    Route("GET", "/v1/agent/host", agent_host.show_host, reads=False),
    Route("GET", "/v1/agent/metrics", agent_metrics.show_metrics, reads=False),
    Route("GET", "/v1/agent/monitor", agent_monitor.monitor, reads=False),
    Route("PUT", "/v1/agent/reload", agent_control.reload, reads=False),
    Route("PUT", "/v1/agent/leave", agent_control.leave, reads=False),
    Route("PUT", "/v1/agent/join/", agent_control.join, reads=False),
    Route("PUT", "/v1/agent/force-leave/", agent_control.force_leave, reads=False),
    Route("PUT", "/v1/agent/token/", agent_control.set_token, reads=False),
    Route("PUT", "/v1/agent/maintenance", agent_maintenance.of_node, reads=False),
    Route("GET", "/v1/agent/services", agent_services.list_services, reads=False),
    Route("GET", "/v1/agent/service/", agent_services.show_service, reads=False),
    Route("PUT", "/v1/agent/service/register", agent_services.register, reads=False),
    Route("PUT", "/v1/agent/service/deregister/", agent_services.deregister, reads=False),
    Route("PUT", "/v1/agent/service/maintenance/", agent_maintenance.of_service, reads=False),
    Route("GET", "/v1/agent/health/service/id/", agent_health.by_id, reads=False),
    Route("GET", "/v1/agent/health/service/name/", agent_health.by_name, reads=False),
    Route("GET", "/v1/agent/checks", agent_checks.list_checks, reads=False),
    Route("PUT", "/v1/agent/check/register", agent_checks.register, reads=False),
    Route("PUT", "/v1/agent/check/deregister/", agent_checks.deregister, reads=False),
    Route("PUT", "/v1/agent/check/pass/", agent_checks.report_passing, reads=False),
    Route("PUT", "/v1/agent/check/warn/", agent_checks.report_warning, reads=False),
    Route("PUT", "/v1/agent/check/fail/", agent_checks.report_critical, reads=False),
    Route("PUT", "/v1/agent/check/update/", agent_checks.update, reads=False),
    Route("PUT", "/v1/event/fire/", event.fire),
    Route("GET", "/v1/event/list", event.list_events, reads=False),
)
