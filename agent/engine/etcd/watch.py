"""The watch stream: commits from a revision on, until another epoch replaces this one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, TypeAlias

from aetcd import rpc

from pyconsul.agent.engine.contract import Compacted
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.errors import Rejected
from pyconsul.agent.engine.etcd.events import Commit, commits
from pyconsul.agent.engine.etcd.layout import Layout, end_of

HEARTBEAT_S = 5.0  # between two questions whether the stream is alive
SILENCE_S = 3 * HEARTBEAT_S  # after that the stream is taken for dead
_STATE, _POINTER = 1, 2  # numbers of the two watches of the stream


class EpochMoved(Exception):
    """Another epoch was put in place; `revision`: of the pointer."""

    def __init__(self, epoch: str, revision: int) -> None:
        super().__init__(epoch)
        self.epoch, self.revision = epoch, revision


class CaughtUp(int):
    """A revision up to which every commit has been delivered."""


WatchEvent: TypeAlias = Commit | CaughtUp


async def watch(client: Client, layout: Layout, revision: int) -> AsyncGenerator[WatchEvent, None]:
    """Return the commits from a revision on, in order and without a gap; never ends.

    Raises EpochMoved, Compacted, Rejected, Unreachable.
    """
    async with aclosing(client.watch(_requests(layout, revision), SILENCE_S)) as responses:
        async for response in responses:
            if response.canceled:
                if response.compact_revision:
                    raise Compacted(f"etcd has compacted its history up to revision {response.compact_revision}")
                raise Rejected(f"etcd has canceled the watch: {response.cancel_reason}")
            if response.created:
                continue
            if response.watch_id == _POINTER:
                for event in response.events:
                    raise EpochMoved(event.kv.value.decode(), event.kv.mod_revision)
            elif response.watch_id == _STATE:
                for commit in commits(response.events, layout):
                    yield commit
                if not response.events:
                    # Only etcd's own notifications: a response to a progress request may overtake events (before 3.4.25).
                    yield CaughtUp(response.header.revision)


async def _requests(layout: Layout, revision: int) -> AsyncIterator[Any]:
    state = rpc.WatchCreateRequest(
        key=layout.state, range_end=end_of(layout.state), start_revision=revision, progress_notify=True, watch_id=_STATE
    )
    pointer = rpc.WatchCreateRequest(key=layout.pointer, start_revision=revision, watch_id=_POINTER)
    yield rpc.WatchRequest(create_request=pointer)
    yield rpc.WatchRequest(create_request=state)
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        yield rpc.WatchRequest(progress_request=rpc.WatchProgressRequest())
