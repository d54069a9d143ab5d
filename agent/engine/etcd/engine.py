"""The engine of a cluster: rows in etcd, followed by all servers.

Consistency rests on the index and the epoch alone (see `transaction`): each commit compares both, so that two servers that
believe to lead cannot both write, and no write reaches an epoch that a restore has replaced.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from aetcd import rpc

from pyconsul.agent.engine.contract import Compacted, Conflict, EngineError, Limits, Loaded, OutcomeUnknown
from pyconsul.agent.engine.etcd import large, loading, replacement, transaction
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.errors import Rejected, RevisionCompacted, Unreachable
from pyconsul.agent.engine.etcd.events import Commit, changeset_of
from pyconsul.agent.engine.etcd.head import Head
from pyconsul.agent.engine.etcd.history import changes, prune
from pyconsul.agent.engine.etcd.history.changes import Coverage
from pyconsul.agent.engine.etcd.history.read import HistoryReader
from pyconsul.agent.engine.etcd.layout import Layout, pointer_key
from pyconsul.agent.engine.etcd.settings import DEFAULT_LIMITS
from pyconsul.agent.engine.etcd.transaction import Known
from pyconsul.agent.engine.etcd.watch import CaughtUp, EpochMoved, watch
from pyconsul.agent.engine.history.contract import NO_HISTORY, HistorySlice, Retention
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.schemas import ALL, INDEXES
from pyconsul.agent.state.store import floor_row

MAX_LOADS = 5  # tries to read the state before it is compacted away
CLOSE_S = 5.0  # that closing waits for a large commit to be carried out; another server would do it, too
_SCHEMAS = {schema.name: schema for schema in (INDEXES, *ALL)}

log = logging.getLogger("agent.engine")


@dataclass(frozen=True, slots=True)
class _Pending:
    """A commit on its way, made in `layout`; `new`: the epoch that it puts in place, and the revision of its index."""

    commit_id: int
    layout: Layout
    known: Known
    index: int
    coverage: Coverage
    new: tuple[Layout, int] | None = None


class EtcdEngine:
    """Commits to etcd, and follows what other servers commit."""

    def __init__(
        self,
        client: Client,
        prefix: str,
        server: str,
        retention: Retention = NO_HISTORY,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """prefix: of all keys of this cluster.  server: ID of this server, that no other one has."""
        self.limits = limits
        self._client, self._prefix, self._server, self._retention = client, prefix, server, retention
        self._head = Head(self._layout(""))
        self._pending: _Pending | None = None
        self._one_at_a_time = asyncio.Lock()
        self._carrying_out: asyncio.Task[None] | None = None

    def _layout(self, epoch: str) -> Layout:
        return Layout(self._prefix, epoch, self._server)

    # --- loading

    async def load(self) -> Loaded:
        for _ in range(MAX_LOADS):
            epoch, revision = await self._current_epoch()
            layout = self._layout(epoch)
            try:
                state = await loading.load(self._client, layout, _SCHEMAS, revision)
            except RevisionCompacted as error:
                log.info("reading the state from etcd again: %s", error)
                continue
            if state.large is not None:
                await self._carry_out(layout, state.large)
                continue
            self._head.placed(layout, state.index, state.known, state.coverage, revision)
            return Loaded(state.rows, state.index)
        raise EngineError("the state in etcd changes faster than it can be read")

    async def _current_epoch(self) -> tuple[str, int]:
        """Return the current epoch (a new one in an empty etcd), and a revision at which it is complete."""
        pointer = pointer_key(self._prefix)
        response = await self._client.read(rpc.TxnRequest(success=[transaction.get(pointer)]))
        epoch, _ = transaction.value_of(response, 0)
        if not epoch:
            first = self._layout(secrets.token_hex(8))
            _, floor = floor_row(0)
            created = [
                transaction.put(pointer, first.epoch.encode()),
                transaction.put(first.named_index(floor.name), b"%d" % floor.index),
            ]
            conditions = [transaction.unchanged(pointer, 0)]
            response = await self._client.write(
                rpc.TxnRequest(compare=conditions, success=created, failure=[transaction.get(pointer)])
            )
            epoch = first.epoch.encode() if response.succeeded else transaction.value_of(response, 0)[0]
        return epoch.decode(), response.header.revision

    # --- committing

    async def commit(self, batch: Sequence[Changeset]) -> int:
        head = self._head
        if head.index and batch[0].index != head.index + 1:
            raise Conflict(head.index)
        layout, last = head.layout, batch[-1].index
        history, coverage = changes.operations(layout, batch, self._retention, head.coverage)
        pending = _Pending(_new_id(), layout, head.known, last, coverage)
        operations = [*transaction.operations_of(layout, batch), *history]
        if len(batch) == 1 and self._is_large(operations):
            return await self._commit_large(pending, batch, operations)
        request = transaction.commit(layout, head.known, batch, pending.commit_id, operations)
        revision = await self._write(request, pending)
        head.committed(layout, last, coverage, revision)
        return last

    def _is_large(self, operations: Sequence[Any]) -> bool:
        """Return whether operations need more than one transaction."""
        size_bytes: int = sum(operation.ByteSize() for operation in operations)
        return len(operations) > self.limits.rows or size_bytes > self.limits.size_bytes

    async def _commit_large(self, pending: _Pending, batch: Sequence[Changeset], operations: Sequence[Any]) -> int:
        """Commit what needs several transactions; see `large`."""
        layout, name = pending.layout, f"{pending.commit_id}"
        staged = await large.stage(self._client, layout, name, operations)
        marker = transaction.put(layout.large, name.encode())
        request = transaction.commit(layout, pending.known, batch, pending.commit_id, [marker])
        request.compare.append(staged)
        revision = await self._write(request, pending)
        self._head.committed(layout, pending.index, pending.coverage, revision)
        self._carrying_out = asyncio.get_running_loop().create_task(
            self._carry_out_later(layout, large.Marker(name, revision))
        )
        return pending.index

    async def _carry_out_later(self, layout: Layout, marker: large.Marker) -> None:
        try:
            await self._carry_out(layout, marker)
        except EngineError as error:
            log.info("a large commit is carried out with the next one: %s", error)

    async def _carry_out(self, layout: Layout, marker: large.Marker) -> None:
        async with self._one_at_a_time:
            await large.carry_out(self._client, layout, marker, self.limits.rows)

    async def _write(self, request: Any, pending: _Pending) -> int:
        """Return the revision of a commit.  Raises Conflict, OutcomeUnknown, Rejected."""
        self._pending = pending
        try:
            response = await self._client.write(request)
        except Unreachable as error:
            raise OutcomeUnknown(str(error), pending.commit_id) from error
        except Rejected as error:
            # An etcd that fills up answers with an error, though it has done what was asked (etcd's apply.go, quotaApplierV3).
            try:
                revision, _ = await self._look(pending)
            except EngineError:
                raise OutcomeUnknown(str(error), pending.commit_id) from error
            self._pending = None
            if not revision:
                raise
            log.warning("this write was made, later ones may fail: %s", error)
            return revision
        self._pending = None
        if not response.succeeded:
            raise await self._conflict(response)
        return int(response.header.revision)

    async def _conflict(self, response: Any) -> Conflict:
        """Return the conflict of a commit; carry out a large commit that was in the way."""
        refusal = transaction.refusal_of(response)
        layout = self._head.layout
        if refusal.epoch != layout.epoch:
            return Conflict(await self.barrier())
        if marker := large.marker_of(*refusal.large):
            await self._carry_out(layout, marker)
        return Conflict(refusal.last)

    async def took_effect(self, commit_id: int) -> bool:
        pending = self._pending
        if pending is None or pending.commit_id != commit_id:
            raise EngineError(f"commit {commit_id} is not known any more")
        layout = pending.layout
        made, own_revision = await self._look(pending)
        if not made and own_revision == pending.known.own_revision:
            # Rewrite the row, so that the commit can never take effect, unless it just has.
            fence = rpc.TxnRequest(
                compare=[transaction.unchanged(layout.own_commit, own_revision)],
                success=[transaction.put(layout.own_commit, b"0")],
            )
            await self._client.write(fence)
            made, own_revision = await self._look(pending)
        self._pending = None
        if not made:
            self._head.given_up(layout, own_revision)
        elif pending.new is None:
            self._head.committed(layout, pending.index, pending.coverage, made)
        else:
            self._replaced(pending, made)
        return bool(made)

    async def _look(self, pending: _Pending) -> tuple[int, int]:
        """Return the revision at which a commit was made, 0 if it was not, and that of this server's own row."""
        layout = pending.layout
        reads = [transaction.get(layout.own_commit), transaction.get(layout.pointer)]
        response = await self._client.read(rpc.TxnRequest(success=reads))
        value, own_revision = transaction.value_of(response, 0)
        if pending.new is None:
            return own_revision if int(value or 0) == pending.commit_id else 0, own_revision
        epoch, revision = transaction.value_of(response, 1)
        return revision if epoch.decode() == pending.new[0].epoch else 0, own_revision

    async def barrier(self) -> int:
        layout = self._head.layout
        while True:
            response = await self._client.read(transaction.read_index(layout))
            epoch = transaction.value_of(response, 0)[0].decode()
            if epoch == layout.epoch:
                return transaction.last_index(transaction.value_of(response, 1)[0])
            layout = self._layout(epoch)

    # --- following

    async def watch(self, after: int) -> AsyncIterator[Changeset]:
        while True:
            layout = self._head.layout
            revision = self._head.revision_of(after)
            if revision is None:
                raise Compacted(f"it is not known which revision of etcd has index {after}")
            try:
                async with aclosing(watch(self._client, layout, revision + 1)) as stream:
                    async for event in stream:
                        if layout is not self._head.layout:
                            continue  # this server has just put another state in place
                        if isinstance(event, CaughtUp):
                            self._head.quiet(after, event)
                            continue
                        self._head.observe(event)
                        if event.last <= after:
                            continue
                        if after and event.first != after + 1:
                            raise Compacted(f"the commit of index {event.first} does not follow index {after}")
                        after = event.last
                        if not event.own_id:
                            yield await self._changeset_of(event, layout)
            except EpochMoved as moved:
                pending = self._pending
                if pending is not None and pending.new is not None and pending.new[0].epoch == moved.epoch:
                    self._replaced(pending, moved.revision)
                if moved.epoch != self._head.layout.epoch:
                    raise Compacted("another server has put another state in place") from None
                after = self._head.placed_index

    async def _changeset_of(self, event: Commit, layout: Layout) -> Changeset:
        """Raises Compacted, EngineError."""
        if not event.large:
            return changeset_of(event, event.written, layout, _SCHEMAS)
        marker = large.Marker(event.large.decode(), event.revision)
        try:
            operations = await large.staged(self._client, layout, marker)
        except RevisionCompacted as error:
            raise Compacted(str(error)) from error
        return changeset_of(event, [(key, value) for key, value, _ in operations], layout, _SCHEMAS)

    # --- another state

    async def replace(self, rows: Iterable[tuple[str, Any]], index: int, history: HistorySlice | None = None) -> None:
        """Put other rows in place; history: of the same rows in another engine, which goes on here."""
        head, new = self._head, self._layout(secrets.token_hex(8))
        if index <= head.index:
            raise Conflict(head.index)
        old, known = head.layout, head.known  # before the first wait: the index is right for these only
        operations = await asyncio.to_thread(replacement.operations_of, new, rows, _SCHEMAS)
        coverage = Coverage(index, index)
        try:
            if history is not None:
                coverage = Coverage(history.floor, history.epoch, exclude=tuple(sorted(history.exclude)))
                await replacement.write_history(self._client, new, history, self.limits)
            revision = await replacement.prepare(
                self._client, new, operations, index, time.time(), self.limits, coverage
            )
            pending = _Pending(_new_id(), old, known, index, coverage, (new, revision))
            flipped = await self._write(replacement.flip(old, known, new, revision), pending)
        except OutcomeUnknown:
            raise
        except EngineError:
            await self._remove(new)
            raise
        self._replaced(pending, flipped)
        await self._remove(old)

    def _replaced(self, pending: _Pending, revision: int) -> None:
        """This server has put an epoch in place."""
        assert pending.new is not None
        layout, index_revision = pending.new
        if layout is not self._head.layout:
            self._head.placed(layout, pending.index, Known(index_revision, 0), pending.coverage, revision)

    async def _remove(self, layout: Layout) -> None:
        """Delete an epoch that is not the current one; on failure it only takes up space."""
        with suppress(EngineError):
            await replacement.remove(self._client, layout)

    async def history(self, key: str, *, tree: bool = False, after: int | None = None) -> HistorySlice | None:
        if not self._retention.on:
            return None
        layout, kept = self._head.layout, self._retention
        keys = layout.index, layout.history_coverage, layout.history_floor, layout.large
        while True:
            response = await self._client.read(rpc.TxnRequest(success=[transaction.get(key) for key in keys]))
            marker = large.marker_of(*transaction.value_of(response, 3))
            if marker is None:
                break
            await self._carry_out(layout, marker)
        index = transaction.last_index(transaction.value_of(response, 0)[0])
        coverage = changes.read_coverage(transaction.value_of(response, 1)[0])
        floor = max(changes.floor_of(coverage, kept, index), int(transaction.value_of(response, 2)[0] or 0))
        reader = HistoryReader(self._client, layout, response.header.revision, kept, after)
        return HistorySlice(index, floor, coverage.epoch, reader.pages(key, tree=tree), lambda: None, kept.exclude)

    async def retain(self, retention: Retention, now: float) -> None:
        head, layout = self._head, self._head.layout
        before, self._retention = self._retention, retention
        try:
            operations, coverage = changes.change_coverage(layout, head.index, retention, head.coverage)
            if operations:
                conditions = transaction.conditions(layout, head.known)
                response = await self._client.write(rpc.TxnRequest(compare=conditions, success=operations))
                if response.succeeded:  # otherwise the next commit does it
                    head.covers(layout, coverage)
            if retention.on:
                await prune.prune(self._client, layout, retention, now)
        except EngineError:
            self._retention = before
            raise

    async def close(self) -> None:
        if self._carrying_out is not None:
            await asyncio.wait([self._carrying_out], timeout=CLOSE_S)
        await self._client.close()


def _new_id() -> int:
    return secrets.randbits(62) + 1
