"""An engine that stands for another one, which may change while the agent runs: none yet, SQLite, etcd.

| switch | effect |
| --- | --- |
| none → engine | the running watch raises Compacted, so that its follower loads the state |
| engine → none (this server was removed from its cluster) | the watch waits; what was loaded stays readable |
| engine → engine with the same state | the watch goes on with the new engine after the same index |
| engine → engine with another state | the watch raises Compacted |

A commit that waits during a switch raises Conflict: its operations run again within the limits of the new engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

from pyconsul.agent.engine.contract import (
    NO_LEADER,
    NO_LIMITS,
    Compacted,
    Conflict,
    Engine,
    EngineError,
    Limits,
    Loaded,
    OutcomeUnknown,
)
from pyconsul.agent.engine.history.contract import NO_HISTORY, HistorySlice, Retention
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.store import floor_row


class Recording:
    """The changesets that were committed since the recording began.  is_void: the whole state was replaced meanwhile."""

    def __init__(self) -> None:
        self.changesets: list[Changeset] = []
        self.is_void = False

    def void(self) -> None:
        """The state was replaced: what was recorded does not lead to it."""
        self.is_void = True

    def take(self) -> list[Changeset]:
        """Return what was recorded since the last call."""
        taken, self.changesets = self.changesets, []
        return taken


class SwitchableEngine:
    """Passes everything on to the current engine; without one, writes and barriers fail with "No cluster leader"."""

    def __init__(self, retention: Retention = NO_HISTORY) -> None:
        """retention: limits of the history that engines are opened with, until `retain` is called."""
        self.retention = retention
        self._current: Engine | None = None
        self._gate = asyncio.Lock()  # held by every write, and by who switches between two writes
        self._must_load = False
        self._was_loaded = self._has_state = False
        self._index = 0
        self._switched: asyncio.Future[None] | None = None  # done as soon as another engine is current
        self._recording: Recording | None = None
        self._committed_with: Engine | None = None  # of the last commit

    @property
    def limits(self) -> Limits:
        """The limits of the current engine."""
        return NO_LIMITS if self._current is None else self._current.limits

    @property
    def current(self) -> Engine | None:
        """The engine in use."""
        return self._current

    @property
    def has_state(self) -> bool:
        """Return whether a state was loaded and installed, and there is an engine that keeps it current."""
        return self._has_state

    @property
    def index(self) -> int:
        """The index of the last commit that this server has; 0: unknown."""
        return self._index

    # --- switching

    def switch(self, engine: Engine | None, *, same_state: bool = False) -> None:
        """Use another engine from now on; the caller closes the earlier one.

        same_state: it holds the rows and the index of the earlier one; call it within `held` then.
        """
        self._current = engine
        self._has_state = self._has_state and engine is not None
        self._must_load = engine is not None and not same_state and self._was_loaded
        switched, self._switched = self._switched, None
        if switched is not None and not switched.done():
            switched.set_result(None)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Let no write begin until the block ends; a running one has ended before it begins.  Reads go on."""
        async with self._gate:
            yield

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """Record every commit of the block, for a copy that is made meanwhile."""
        self._recording = recording = Recording()
        try:
            yield recording
        finally:
            self._recording = None

    def _switch_ahead(self) -> asyncio.Future[None]:
        if self._switched is None:
            self._switched = asyncio.get_running_loop().create_future()
        return self._switched

    def _required(self) -> Engine:
        if self._current is None:
            raise EngineError(NO_LEADER)
        return self._current

    # --- the contract

    async def load(self) -> Loaded:
        if self._current is None and not self._was_loaded:
            self._was_loaded = True  # the start of a server that has no state yet
            return Loaded([floor_row(0)], 0)
        engine = self._required()
        loaded = await engine.load()
        if engine is self._current:
            self._was_loaded, self._must_load, self._index = True, False, loaded.index
        return loaded

    async def commit(self, batch: Sequence[Changeset]) -> int:
        engine = self._required()
        async with self._gate:
            self._require_unchanged(engine, batch[0].index - 1)
            self._committed_with = engine
            index = self._index = await engine.commit(batch)
            if self._recording is not None:
                self._recording.changesets.extend(batch)
        return index

    async def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        engine = self._required()
        async with self._gate:
            self._require_unchanged(engine, index - 1)
            self._committed_with = engine
            if self._recording is not None:
                self._recording.void()
            await engine.replace(rows, index)
            self._index = index

    def _require_unchanged(self, engine: Engine, index: int) -> None:
        """Raises Conflict when a write has waited for a switch, or the engine has not been loaded yet."""
        if engine is not self._current or self._must_load:
            raise Conflict(index)

    async def took_effect(self, commit_id: int) -> bool:
        engine = self._required()
        if engine is not self._committed_with:
            raise OutcomeUnknown("the server has changed its engine: nothing is known of its last commit")
        return await engine.took_effect(commit_id)

    async def barrier(self) -> int:
        return await self._required().barrier()

    async def watch(self, after: int) -> AsyncIterator[Changeset]:
        while True:
            switched, engine = self._switch_ahead(), self._current
            if engine is None:
                await asyncio.shield(switched)
                continue
            if self._must_load:
                raise Compacted("its engine has just been connected")
            self._has_state = True
            after = max(after, self._index)  # commits of this server were not yielded
            async with aclosing(_until(switched, engine.watch(after))) as changesets:
                async for changeset in changesets:
                    after = changeset.index
                    self._index = max(self._index, after)
                    yield changeset
            if not switched.done():
                raise EngineError("the engine has ended the watch")

    async def history(self, key: str, *, tree: bool = False, after: int | None = None) -> HistorySlice | None:
        return await self._required().history(key, tree=tree, after=after)

    async def retain(self, retention: Retention, now: float) -> None:
        async with self._gate:
            await self._required().retain(retention, now)
            self.retention = retention

    async def close(self) -> None:
        engine, self._current = self._current, None
        if engine is not None:
            await engine.close()


async def _until(switched: asyncio.Future[None], stream: AsyncIterator[Changeset]) -> AsyncGenerator[Changeset, None]:
    """Return what a stream yields, until a future is done."""
    following: asyncio.Future[Changeset] | None = None
    try:
        while not switched.done():
            following = asyncio.ensure_future(anext(stream))
            either: list[asyncio.Future[Any]] = [following, switched]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            try:
                changeset = following.result()
            except StopAsyncIteration:
                return
            yield changeset
    finally:
        if following is not None and not following.done():
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await stream.aclose()  # type: ignore[attr-defined]  # an asynchronous generator
