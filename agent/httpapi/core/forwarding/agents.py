"""The contract between the HTTP API and the other agents of its datacenter, for requests that one of them alone can serve."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response


class Agents(Protocol):
    """Sends requests for one agent to that agent."""

    def relay(self, name: str, request: Request) -> Awaitable[Response]:
        """Return the response of the agent with a node name, which authorizes the request with the caller's token.

        Raises HTTPError: 404 for a name that no agent has, 503 for an agent that cannot be reached.
        """
