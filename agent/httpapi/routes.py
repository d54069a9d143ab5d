"""Every route of the HTTP API: the tables of all handler modules."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.router import Route
from pyconsul.agent.httpapi.handlers import (
    autopilot,
    coordinate,
    event,
    health,
    internal_ui,
    keyring,
    metrics_proxy,
    operator,
    recovery,
    session,
    snapshot,
    streams,
)
from pyconsul.agent.httpapi.handlers.acl import auth_methods as acl_auth_methods
from pyconsul.agent.httpapi.handlers.acl import authorize as acl_authorize
from pyconsul.agent.httpapi.handlers.acl import explain as acl_explain
from pyconsul.agent.httpapi.handlers.acl import login as acl_login
from pyconsul.agent.httpapi.handlers.acl import policies as acl_policies
from pyconsul.agent.httpapi.handlers.acl import roles as acl_roles
from pyconsul.agent.httpapi.handlers.acl import system as acl_system
from pyconsul.agent.httpapi.handlers.acl import templates as acl_templates
from pyconsul.agent.httpapi.handlers.acl import tokens as acl_tokens
from pyconsul.agent.httpapi.handlers.agent import checks as agent_checks
from pyconsul.agent.httpapi.handlers.agent import control as agent_control
from pyconsul.agent.httpapi.handlers.agent import health as agent_health
from pyconsul.agent.httpapi.handlers.agent import host as agent_host
from pyconsul.agent.httpapi.handlers.agent import maintenance as agent_maintenance
from pyconsul.agent.httpapi.handlers.agent import members as agent_members
from pyconsul.agent.httpapi.handlers.agent import metrics as agent_metrics
from pyconsul.agent.httpapi.handlers.agent import monitor as agent_monitor
from pyconsul.agent.httpapi.handlers.agent import self_info as agent_self_info
from pyconsul.agent.httpapi.handlers.agent import services as agent_services
from pyconsul.agent.httpapi.handlers.catalog import listings as catalog_listings
from pyconsul.agent.httpapi.handlers.catalog import registration as catalog_registration
from pyconsul.agent.httpapi.handlers.internal import callers as internal_callers
from pyconsul.agent.httpapi.handlers.internal import parts as internal_parts
from pyconsul.agent.httpapi.handlers.internal import registrations as internal_registrations
from pyconsul.agent.httpapi.handlers.kv import entries as kv_entries
from pyconsul.agent.httpapi.handlers.kv import history as kv_history
from pyconsul.agent.httpapi.handlers.mesh import refusals as mesh_refusals
from pyconsul.agent.httpapi.handlers.query import definitions as query_definitions
from pyconsul.agent.httpapi.handlers.query import execution as query_execution
from pyconsul.agent.httpapi.handlers.txn import operations as txn_operations

ROUTES: tuple[Route, ...] = (
    *acl_auth_methods.ROUTES,
    *acl_authorize.ROUTES,
    *acl_explain.ROUTES,
    *acl_login.ROUTES,
    *acl_policies.ROUTES,
    *acl_roles.ROUTES,
    *acl_system.ROUTES,
    *acl_templates.ROUTES,
    *acl_tokens.ROUTES,
    *agent_checks.ROUTES,
    *agent_control.ROUTES,
    *agent_health.ROUTES,
    *agent_host.ROUTES,
    *agent_maintenance.ROUTES,
    *agent_members.ROUTES,
    *agent_metrics.ROUTES,
    *agent_monitor.ROUTES,
    *agent_self_info.ROUTES,
    *agent_services.ROUTES,
    *autopilot.ROUTES,
    *catalog_listings.ROUTES,
    *catalog_registration.ROUTES,
    *coordinate.ROUTES,
    *event.ROUTES,
    *health.ROUTES,
    *internal_callers.ROUTES,
    *internal_parts.ROUTES,
    *internal_registrations.ROUTES,
    *internal_ui.ROUTES,
    *keyring.ROUTES,
    *kv_entries.ROUTES,
    *kv_history.ROUTES,
    *metrics_proxy.ROUTES,
    *mesh_refusals.ROUTES,
    *operator.ROUTES,
    *query_definitions.ROUTES,
    *query_execution.ROUTES,
    *recovery.ROUTES,
    *session.ROUTES,
    *snapshot.ROUTES,
    *streams.ROUTES,
    *txn_operations.ROUTES,
)
