"""All pages, in the order in which their addresses are tried."""

from __future__ import annotations

from pyconsul.agent.ui.contract import PageRoute
from pyconsul.agent.ui.pages import login, overview, search
from pyconsul.agent.ui.pages.access import (
    auth_method,
    auth_methods,
    binding_rule,
    explain,
    policies,
    policy,
    role,
    roles,
    token,
    tokens,
)
from pyconsul.agent.ui.pages.catalog import node, nodes
from pyconsul.agent.ui.pages.cluster import members, servers
from pyconsul.agent.ui.pages.coordination import events, queries, query, sessions
from pyconsul.agent.ui.pages.kv import changes, create, entry, exchange, folder, history, transfer
from pyconsul.agent.ui.pages.local import agent, log, registrations, settings
from pyconsul.agent.ui.pages.services import instance, service, services

PAGES: tuple[PageRoute, ...] = (
    *overview.PAGES,
    *services.PAGES,
    *service.PAGES,
    *instance.PAGES,
    *nodes.PAGES,
    *node.PAGES,
    *sessions.PAGES,
    *events.PAGES,
    *queries.PAGES,
    *query.PAGES,
    *members.PAGES,
    *servers.PAGES,
    *create.PAGES,
    *exchange.PAGES,
    *changes.PAGES,
    *transfer.PAGES,
    *entry.PAGES,
    *history.PAGES,
    *folder.PAGES,  # takes any key: the last of them
    *agent.PAGES,
    *registrations.PAGES,
    *settings.PAGES,
    *log.PAGES,
    *login.PAGES,
    *search.PAGES,
    *tokens.PAGES,
    *token.PAGES,
    *policies.PAGES,
    *policy.PAGES,
    *roles.PAGES,
    *role.PAGES,
    *auth_methods.PAGES,
    *auth_method.PAGES,
    *binding_rule.PAGES,
    *explain.PAGES,
)
