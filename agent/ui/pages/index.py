"""All pages, in the order in which their addresses are tried."""

from __future__ import annotations

from pyconsul.agent.ui.contract import PageRoute
from pyconsul.agent.ui.pages import login, overview
from pyconsul.agent.ui.pages.catalog import service, services

PAGES: tuple[PageRoute, ...] = (
    *overview.PAGES,
    *services.PAGES,
    *service.PAGES,
    *login.PAGES,
)
