"""/v1/snapshot: the whole state saved as a file, and put back (https://developer.hashicorp.com/consul/api-docs/snapshot).

Everything that takes time with the size of the state runs in threads, so that other requests are served meanwhile.  A file
on the disk has no name, and only this process can read it: it holds every secret.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from msgspec.structs import replace

from pyconsul.agent.acl import builtin
from pyconsul.agent.httpapi.core.context import Context, new_id
from pyconsul.agent.httpapi.core.rendering import meta_headers
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import EMPTY, Response, server_error
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.server.body_stream import spooled
from pyconsul.agent.httpapi.server.contract import BodyLost, BodyRule
from pyconsul.agent.snapshot import archive, save
from pyconsul.agent.snapshot import restore as restoring
from pyconsul.agent.snapshot.errors import SnapshotError
from pyconsul.agent.snapshot.restore import Restored
from pyconsul.agent.state.schemas import NODES

LEFT_OUT = b"X-Pyconsul-Snapshot-Left-Out"  # header of a restore: the records that pyconsul has no use for
FALLBACK_MEMORY = 4 << 30  # bytes, where the free space is unknown

log = logging.getLogger("agent.snapshot")

_restoring: set[asyncio.Task[None]] = set()  # a task without a reference may be collected


def body_rule(context: Context, request: Request) -> BodyRule:
    """Receive an archive as a stream, limited by memory only."""
    return BodyRule(0, stream=request.method == "PUT")


def _folder(context: Context) -> str | None:
    """Return the folder of large temporary files: the data folder, or the system's temporary folder."""
    return None if context.config.dev_mode else context.config.data_dir or None


def _scratch(context: Context) -> BinaryIO:
    """Return a file that vanishes when it is closed."""
    return cast(BinaryIO, tempfile.TemporaryFile(dir=_folder(context), prefix="snapshot-"))


async def save_state(context: Context, request: Request) -> Response:
    """Send the state of this moment as an archive; writes go on meanwhile."""
    state, now = save.image(context.view), time.time()
    config = context.config
    meta = save.metadata(state, now, config.node_id, f"{config.advertise_addr}:{config.ports.server}")

    def written() -> BinaryIO:
        file = _scratch(context)
        try:
            save.write(file, state)
        except BaseException:
            file.close()
            raise
        return file

    try:
        file = await asyncio.to_thread(written)
    except OSError as error:
        raise server_error(f"failed to write the snapshot: {error}") from None
    headers = ((b"Content-Type", b"application/x-gzip"), *meta_headers(state.index))
    return Response(200, headers=headers, stream=_parts(file, archive.pack(file, meta, now)))


async def _parts(file: BinaryIO, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    with file:
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            if part:
                yield part


async def restore(context: Context, request: Request) -> Response:
    """Replace the state by that of an archive; a damaged archive changes nothing."""
    _ = context.view.index  # raises for a datacenter that cannot be reached, before its archive is read
    try:
        with await spooled(request, _folder(context)) as file:
            found, rows = await asyncio.to_thread(_read, context, file)
        work = asyncio.create_task(_put_in_place(context, found, rows))
        _restoring.add(work)
        work.add_done_callback(_restoring.discard)
        await asyncio.shield(work)  # a caller that goes away does not stop it half-way
    except SnapshotError as error:
        raise server_error(str(error)) from None
    except (OSError, BodyLost) as error:
        raise server_error(f"failed to read snapshot file: {error}") from None
    if not found.left_out:
        return EMPTY
    return Response(200, b"", (*EMPTY.headers, (LEFT_OUT, told(found.left_out).encode("latin-1", "replace"))))


def told(left_out: Counter[str]) -> str:
    """Return the kinds of records that were left out, with their numbers."""
    return ", ".join(f"{count} {name}" for name, count in sorted(left_out.items()))


def _read(context: Context, packed: BinaryIO) -> tuple[Restored, list[tuple[str, Any]]]:
    """Check an archive, and the state in it, and take its rows out.  Blocks; raises SnapshotError, OSError."""
    memory = _free_memory() // 2
    with _scratch(context) as state, _collector_paused():
        archive.unpack(packed, state, memory)
        state.seek(0)
        try:
            found = restoring.read(state, time.time(), memory, context.config.allow_control_characters)
        except SnapshotError as error:
            raise SnapshotError(f"failed to restore snapshot: {error}") from None
        _become_own_node(found, context)
        rows = found.rows()
        found.tables.clear()
        gc.freeze()  # rows have no cycles: no collection need ever look at them
    return found, rows


async def _put_in_place(context: Context, found: Restored, rows: list[tuple[str, Any]]) -> None:
    new_index = await context.replace(rows, found.index)
    if context.acl is not None:  # the snapshot may know of no rights, or not of the token in the settings
        secret = context.config.acl.tokens.initial_management
        await context.commit(partial(builtin.prepare, accessor=new_id(), secret=secret))
    log.info("restored a snapshot: rows=%d its index=%d index now=%d", len(rows), found.index, new_index)
    if found.left_out:
        log.warning("left out of the restored snapshot, since pyconsul has no use for it: %s", told(found.left_out))
    await context.agent.syncer.full_sync()  # this agent's own node may not be in it


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Suspend garbage collection while millions of rows are created: each run would stop the agent to visit all of them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _become_own_node(found: Restored, context: Context) -> None:
    """Give the node of this agent's name this agent's ID: the catalog refuses an agent with another ID."""
    nodes, config = found.tables[NODES.name], context.config
    key = config.node_name.lower()
    old = nodes.get(key)
    if old is None or old.id == config.node_id or any(row.id == config.node_id for row in nodes.values()):
        return
    nodes[key] = replace(old, id=config.node_id)
    log.info(
        "this agent takes over the node of its name in the snapshot: node=%s old ID=%s", old.node, old.id or "none"
    )


def _free_memory() -> int:
    """Bytes of memory that are free: of the machine, or of this process's control group when that has less."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            free = next(int(line.split()[1]) << 10 for line in file if line.startswith("MemAvailable:"))
        group = Path("/sys/fs/cgroup") / Path("/proc/self/cgroup").read_text().strip().rpartition("::/")[2]
        limit = (group / "memory.max").read_text().strip()
        if limit.isdecimal():
            free = min(free, int(limit) - int((group / "memory.current").read_text()))
    except (OSError, ValueError, StopIteration):
        return FALLBACK_MEMORY if "free" not in locals() else free
    return free


ROUTES = (
    Route(
        "/v1/snapshot",
        {"GET": Read(save_state, "acl:write"), "PUT": Write(restore, "acl:write")},
        body_rule=body_rule,
        patient=False,
    ),
)
