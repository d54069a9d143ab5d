"""/v1/agent/monitor: the agent's log as it is written (https://developer.hashicorp.com/consul/api-docs/agent#stream-logs)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any

from pyconsul.agent.acl.authorizer import Forbidden
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.httpapi.core.authorization import resolved_again, resolved_later
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import TEXT, Response, bad_request
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.logs import agent_log
from pyconsul.agent.state.acl.tables import TOPIC as RIGHTS
from pyconsul.agent.state.watches import Watches

BACKLOG = 512  # lines that a slow reader may be behind; what is more is dropped
MIN_WAIT_S = 1.0  # between two looks at a token, while servers are away
END = ""  # no line of a log
# Nothing changes here by itself: a listener is called when everything may have changed, and when the agent ends.
TOPIC = "agent/monitor"


def monitor(context: Context, request: Request) -> Response:
    """Stream the log from now on, at `?loglevel`, as JSON with `?logjson`."""
    level = request.params.get("loglevel") or "INFO"
    try:
        agent_log.parse_level(level)
    except ValueError:
        raise bad_request(f"Unknown log level: {level}") from None
    as_json = "logjson" in request and request.params["logjson"] not in ("false", "0")

    def allowed() -> bool:
        try:
            return resolved_again(context, request).allows("agent", READ, context.config.node_name)
        except Forbidden:
            return False

    lines = _lines(context.watches, allowed, lambda: _denied(context, request), level, as_json)
    return Response(200, headers=TEXT, stream=lines)


async def _denied(context: Context, request: Request) -> None:
    """Return once the caller's token has expired, or was revoked at the servers; only then, so perhaps never."""
    name = context.config.node_name
    while context.acl is not None and (until := context.acl.expires(request.token)) is not None:
        await asyncio.sleep(max(MIN_WAIT_S, until - context.acl.clock()))
        try:
            if not (await resolved_later(context, request)).allows("agent", READ, name):
                return
        except Forbidden:
            return
    await asyncio.get_running_loop().create_future()


async def _lines(
    watches: Watches,
    allowed: Callable[[], bool],
    denied: Callable[[], Coroutine[Any, Any, None]],
    level: str,
    as_json: bool,
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str] = asyncio.Queue()

    def put(line: str) -> None:
        if queue.qsize() < BACKLOG:
            queue.put_nowait(line)

    def end() -> None:
        if watches.closed:
            queue.put_nowait(END)
        else:
            watches.add(end, (TOPIC,))

    def rights_changed() -> None:
        if not watches.closed:
            watches.add(rights_changed, (RIGHTS,))
            loop.call_soon(end_unless_allowed)  # what is kept of rights may be forgotten after this was called

    def end_unless_allowed() -> None:
        if not allowed():
            queue.put_nowait(END)

    expiry = loop.create_task(denied())
    expiry.add_done_callback(lambda task: None if task.cancelled() else queue.put_nowait(END))
    # Lines may come from any thread.
    subscriber = agent_log.subscribe(lambda line: _in_loop(loop, put, line), level, as_json)
    watches.add(end, (TOPIC,))
    watches.add(rights_changed, (RIGHTS,))
    try:
        while (line := await queue.get()) != END:
            yield line.encode(errors="replace") + b"\n"
    finally:
        expiry.cancel()
        agent_log.unsubscribe(subscriber)
        watches.remove(end, (TOPIC,))
        watches.remove(rights_changed, (RIGHTS,))


def _in_loop(loop: asyncio.AbstractEventLoop, put: Callable[[str], None], line: str) -> None:
    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(put, line)


ROUTES = (Route("/v1/agent/monitor", {"GET": Local(monitor, "agent:read")}),)
