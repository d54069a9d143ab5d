"""/v1/agent/reload, leave and token: https://developer.hashicorp.com/consul/api-docs/agent"""

from __future__ import annotations

from pyconsul.agent.config.problems import ReloadError
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import EMPTY, HTTPError, Response, not_found, server_error
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.httpapi.handlers.agent.bodies import TokenBody
from pyconsul.agent.logs import agent_log
from pyconsul.agent.sync.agent_tokens import NAMES


async def reload(context: Context, request: Request) -> Response:
    """Reload the settings."""
    try:
        await context.control.reload()
    except ReloadError as error:
        raise server_error(str(error)) from None
    return EMPTY


async def leave(context: Context, request: Request) -> Response:
    """Leave the cluster and end."""
    await context.control.leave()
    return EMPTY


def set_token(context: Context, request: Request) -> Response:
    """Set one of the agent's own tokens."""
    if not context.config.acl.enabled:
        raise HTTPError(401, "ACL support disabled")
    body = decode(request.body, TokenBody)
    name = NAMES.get(request.tail)
    if name is None:
        raise not_found(f'Token "{request.tail}" is unknown')
    agent_log.redactor.hide((body.token,))
    try:
        context.tokens.set(name, body.token)
    except OSError as error:
        raise server_error(f"the token cannot be kept: {error.strerror}") from None
    return EMPTY


ROUTES = (
    Route("/v1/agent/reload", {"PUT": Local(reload, "agent:write")}),
    Route("/v1/agent/leave", {"PUT": Local(leave, "agent:write")}),
    Route("/v1/agent/token/", {"PUT": Local(set_token, "agent:write")}),
)
