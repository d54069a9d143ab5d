"""/v1/status: who leads and who takes part (https://developer.hashicorp.com/consul/api-docs/status)."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Answer, json_answer
from pyconsul.agent.httpapi.core.router import Read, Route


def leader(context: Context, request: Request) -> Answer:
    """The address of the one server, this one."""
    return json_answer(_server(context))


def peers(context: Context, request: Request) -> Answer:
    """The addresses of all servers."""
    return json_answer([_server(context)])


def _server(context: Context) -> str:
    return f"{context.config.advertise_addr}:{context.config.ports.server}"


ROUTES = (
    Route("/v1/status/leader", {"GET": Read(leader, "open")}),
    Route("/v1/status/peers", {"GET": Read(peers, "open")}),
)
