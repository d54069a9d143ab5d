"""All pages, in the order in which their addresses are tried."""

from __future__ import annotations

from pyconsul.agent.ui.contract import PageRoute
from pyconsul.agent.ui.pages import login, overview
from pyconsul.agent.ui.pages.catalog import node, nodes, service, services
from pyconsul.agent.ui.pages.coordination import events, queries, query, sessions

PAGES: tuple[PageRoute, ...] = (
    *overview.PAGES,
    *services.PAGES,
    *service.PAGES,
    *nodes.PAGES,
    *node.PAGES,
    *sessions.PAGES,
    *events.PAGES,
    *queries.PAGES,
    *query.PAGES,
    *login.PAGES,
)
