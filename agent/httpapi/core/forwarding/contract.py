"""The contract between the router and the handlers for requests that another agent has to serve."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response
from pyconsul.agent.httpapi.core.router import Endpoint, Handled, Route


class ServedHere(Exception):
    """Raised by a forwarder when this agent serves the request itself by now: it has become the leader."""


class Forwarder(Protocol):
    """Sends requests to other datacenters, and to other servers of this one."""

    def forward(
        self, datacenter: str, route: Route, endpoint: Endpoint, request: Request
    ) -> Handled | Awaitable[Handled]:
        """Return the response of another datacenter.  Raises HTTPError."""

    def relay(self, route: Route, endpoint: Endpoint, request: Request) -> Awaitable[Response]:
        """Return the response of a server of this datacenter, for a scope that this agent does not serve.

        It has the headers of its handler only.  Raises HTTPError, ServedHere.
        """

    def close(self) -> None:
        """End the waiting requests with their present responses: the agent stops."""
