"""/v1/snapshot: the whole state saved as a file, and put back (https://developer.hashicorp.com/consul/api-docs/snapshot)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

from pyconsul.agent.engine import archive
from pyconsul.agent.engine.snapshot import SnapshotError, image
from pyconsul.agent.httpapi.answer import EMPTY, Answer
from pyconsul.agent.httpapi.context import Context
from pyconsul.agent.httpapi.direct import meta_headers
from pyconsul.agent.httpapi.errors import server_error
from pyconsul.agent.httpapi.request import Request
from pyconsul.agent.httpapi.server.body_stream import spooled
from pyconsul.agent.httpapi.server.contract import BodyLost, BodyRule
from pyconsul.agent.model.duration import parse_duration
from pyconsul.agent.state import sessions
from pyconsul.agent.state.schemas import ALL

CHUNK = 256 << 10  # bytes that are sent at a time

log = logging.getLogger("agent.snapshot")

_restoring: set[asyncio.Task[None]] = set()  # a task that nobody holds may be lost


def body_rule(context: Context, request: Request) -> BodyRule:
    """An archive comes as a stream: its size is limited by memory only."""
    return BodyRule(CHUNK, stream=request.method == "PUT")


async def endpoint(context: Context, request: Request) -> Answer:
    """Save, or restore."""
    return await restore(context, request) if request.method == "PUT" else await save(context, request)


async def save(context: Context, request: Request) -> Answer:
    """The state of this moment as an archive; writes go on meanwhile."""
    state = image(context.view, ALL)
    try:
        file = await asyncio.to_thread(archive.write, state, time.time())
    except OSError as error:
        raise server_error(f"failed to write the snapshot: {error}") from None
    headers = ((b"Content-Type", b"application/x-gzip"), *meta_headers(state.index))
    return Answer(200, headers=headers, stream=_parts(file))


async def _parts(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while part := await asyncio.to_thread(file.read, CHUNK):
            yield part


async def restore(context: Context, request: Request) -> Answer:
    """Put an archive's state in place of all there is; one that is damaged changes nothing."""
    try:
        with await spooled(request) as file:
            rows, index = await asyncio.to_thread(lambda: archive.read(file.read(), ALL))
    except BodyLost as error:
        raise server_error(f"failed to read snapshot file: {error}") from None
    except SnapshotError as error:
        raise server_error(str(error)) from None
    except OSError as error:
        raise server_error(f"failed to read snapshot file: {error}") from None
    work = asyncio.create_task(_put_in_place(context, rows, index))
    _restoring.add(work)
    work.add_done_callback(_restoring.discard)
    await asyncio.shield(work)  # a caller that goes away does not stop it half-way
    return EMPTY


async def _put_in_place(context: Context, rows: list[tuple[str, Any]], index: int) -> None:
    new_index = await context.replace(rows, index)
    log.info("a snapshot was restored: rows=%d its index=%d index now=%d", len(rows), index, new_index)
    for session in sessions.all_sessions(context.view):
        if session.ttl:
            context.session_clock.renew(session.id, parse_duration(session.ttl))
    await context.agent.syncer.compare()  # this agent's own node may not be in it
