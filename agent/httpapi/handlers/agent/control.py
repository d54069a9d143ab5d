"""/v1/agent/reload, leave, join, force-leave and token: https://developer.hashicorp.com/consul/api-docs/agent"""

from __future__ import annotations

import asyncio
import errno

from pyconsul.agent.config.problems import ReloadError
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import EMPTY, Answer, HTTPError, bad_request, not_found, server_error
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.httpapi.handlers.agent.bodies import TokenBody
from pyconsul.agent.logs import agent_log
from pyconsul.agent.sync.agent_tokens import NAMES

JOIN_TIMEOUT = 10.0  # seconds


async def reload(context: Context, request: Request) -> Answer:
    """Reload the settings."""
    try:
        await context.control.reload()
    except ReloadError as error:
        raise server_error(str(error)) from None
    return EMPTY


async def leave(context: Context, request: Request) -> Answer:
    """Leave the cluster and end."""
    await context.control.leave()
    return EMPTY


async def join(context: Context, request: Request) -> Answer:
    """Join another agent; joining an address of this agent does nothing."""
    target = request.tail
    if not target:
        raise bad_request("Missing address to join")
    ports = context.config.ports
    host, port = _address(target, ports.serf_wan if request.params.get("wan") else ports.serf_lan)
    if _is_self(context, host, port):
        return EMPTY
    reason = await _unreachable(host, port)
    raise server_error(f"1 error occurred:\n\t* Failed to join {target}: {reason}\n\n")


def _address(text: str, default_port: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit() and (host.startswith("[") or ":" not in host):
        return host.strip("[]"), int(port)
    return text.strip("[]"), default_port


def _is_self(context: Context, host: str, port: int) -> bool:
    config = context.config
    own = {config.advertise_addr, config.advertise_addr_wan, config.bind_addr, "127.0.0.1", "::1", "localhost"}
    return host in own and port in (config.ports.serf_lan, config.ports.serf_wan)


async def _unreachable(host: str, port: int) -> str:
    """Return the reason why an agent cannot be joined."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        async with asyncio.timeout(JOIN_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"dial tcp {where}: i/o timeout"
    except OSError as error:
        words = {errno.ECONNREFUSED: "connection refused", errno.EHOSTUNREACH: "no route to host"}
        return f"dial tcp {where}: connect: {words.get(error.errno or 0, str(error))}"
    except UnicodeError as error:  # a label of more than 63 characters
        return f"dial tcp: lookup {host}: {error}"
    writer.close()
    return f"{where} answers, but this agent takes part in no gossip"


def force_leave(context: Context, request: Request) -> Answer:
    """Declare a member gone; this agent is the only member, and alive."""
    name = request.tail
    if name not in (context.config.node_name, f"{context.config.node_name}.{context.config.datacenter}"):
        raise server_error(f"agent: No node found with name '{name}'")
    return EMPTY


def set_token(context: Context, request: Request) -> Answer:
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
    Route("/v1/agent/join/", {"PUT": Local(join, "agent:write")}),
    Route("/v1/agent/force-leave/", {"PUT": Local(force_leave, "operator:write")}),
    Route("/v1/agent/token/", {"PUT": Local(set_token, "agent:write")}),
)
