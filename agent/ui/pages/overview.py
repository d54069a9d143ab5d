"""Overview: the health of the datacenter at a glance."""

from __future__ import annotations

from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.visit import Visit


def show(visit: Visit) -> Page:
    """Show the overview."""
    return Page("overview.html", "Overview", "overview", {"sentence": "…"})


PAGES = (PageRoute("", show), PageRoute("overview", show), PageRoute("overview/server-status", show))
