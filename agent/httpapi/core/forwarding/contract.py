"""The contract between the router and the handlers for requests that another agent has to serve."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.router import Endpoint, Handled, Route


class Forwarder(Protocol):
    """Sends requests to other datacenters."""

    def forward(
        self, datacenter: str, route: Route, endpoint: Endpoint, request: Request
    ) -> Handled | Awaitable[Handled]:
        """Return the response of a datacenter.  Raises HTTPError."""
