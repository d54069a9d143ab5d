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
    Route("GET", "/v1/agent/self", agent_self.show_self),
    Route("GET", "/v1/agent/members", agent_self.members),
    Route("GET", "/v1/agent/version", agent_self.version),
    Route("GET", "/v1/agent/host", agent_host.show_host),
    Route("GET", "/v1/agent/metrics", agent_metrics.show_metrics),
    Route("GET", "/v1/agent/monitor", agent_monitor.monitor),
    Route("PUT", "/v1/agent/reload", agent_control.reload),
    Route("PUT", "/v1/agent/leave", agent_control.leave),
    Route("PUT", "/v1/agent/join/", agent_control.join),
    Route("PUT", "/v1/agent/force-leave/", agent_control.force_leave),
    Route("PUT", "/v1/agent/token/", agent_control.set_token),
    Route("PUT", "/v1/agent/maintenance", agent_maintenance.of_node),
    Route("GET", "/v1/agent/services", agent_services.list_services),
    Route("GET", "/v1/agent/service/", agent_services.show_service),
    Route("PUT", "/v1/agent/service/register", agent_services.register),
    Route("PUT", "/v1/agent/service/deregister/", agent_services.deregister),
    Route("PUT", "/v1/agent/service/maintenance/", agent_maintenance.of_service),
    Route("GET", "/v1/agent/health/service/id/", agent_health.by_id),
    Route("GET", "/v1/agent/health/service/name/", agent_health.by_name),
    Route("GET", "/v1/agent/checks", agent_checks.list_checks),
    Route("PUT", "/v1/agent/check/register", agent_checks.register),
    Route("PUT", "/v1/agent/check/deregister/", agent_checks.deregister),
    Route("PUT", "/v1/agent/check/pass/", agent_checks.report_passing),
    Route("PUT", "/v1/agent/check/warn/", agent_checks.report_warning),
    Route("PUT", "/v1/agent/check/fail/", agent_checks.report_critical),
    Route("PUT", "/v1/agent/check/update/", agent_checks.update),
    Route("PUT", "/v1/event/fire/", event.fire),
    Route("GET", "/v1/event/list", event.list_events),
)
