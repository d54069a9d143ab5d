"""Read the history of keys from etcd at one revision."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.history.changes import Mark, escaped, range_of, read_change, read_mark
from pyconsul.agent.engine.etcd.layout import Layout, end_of
from pyconsul.agent.engine.etcd.pages import pages
from pyconsul.agent.engine.history.contract import PAGE_KEYS, Change, KeyHistory, Retention
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.schemas import KV

_Found = tuple[bytes, str, Any]  # escaped key, key, and what etcd holds


class HistoryReader:
    """Reads keys in order, their rows and changes side by side."""

    def __init__(self, client: Client, layout: Layout, revision: int, kept: Retention, after: int | None) -> None:
        self._client, self._layout, self._revision = client, layout, revision
        self._kept, self._after = kept, after

    async def pages(self, key: str, *, tree: bool) -> AsyncIterator[list[KeyHistory]]:
        """Return the keys, up to PAGE_KEYS at once.  Raises EngineError."""
        rows, changes = self._rows(key, tree), self._changes(key, tree)
        row, change = await anext(rows, None), await anext(changes, None)
        page: list[KeyHistory] = []
        while row is not None or change is not None:
            order = min(found[0] for found in (row, change) if found is not None)
            name, current, found_changes = "", None, []
            if row is not None and row[0] == order:
                name, current = row[1], _decoded(row[2].value)
                row = await anext(rows, None)
            while change is not None and change[0] == order:
                name = change[1]
                found_changes.append((change[2][0], change[2][1]))
                change = await anext(changes, None)
            page.append(KeyHistory(name, current, self._within_limits(found_changes)))
            if len(page) == PAGE_KEYS:
                yield page
                page = []
        if page:
            yield page

    async def _rows(self, key: str, tree: bool) -> AsyncIterator[_Found]:
        start = self._layout.row(KV.name, key)
        async for page in pages(self._client, start, end_of(start) if tree else start + b"\0", self._revision):
            for row in sorted((self._found_row(row) for row in page), key=lambda found: found[0]):
                yield row

    def _found_row(self, row: Any) -> _Found:
        name = self._layout.split_row(row.key)[1]
        return escaped(name), name, row

    async def _changes(self, key: str, tree: bool) -> AsyncIterator[_Found]:
        start, end = range_of(self._layout, key, tree=tree)
        async for page in pages(self._client, start, end, self._revision):
            for row in page:
                mark = read_mark(self._layout, row.key)
                yield escaped(mark.key), mark.key, (mark, row.value)

    def _within_limits(self, found: Sequence[tuple[Mark, bytes]]) -> list[Change]:
        """Return the changes within the number of versions; the others are not pruned yet."""
        versions, after = self._kept.versions, self._after
        beyond, kept = found[:-versions], found[-versions:]
        changes = [_change(*one) for one in kept if after is None or one[0].index > after]
        if beyond and len(changes) == versions:
            mark = beyond[-1][0]
            changes[0] = replace(changes[0], since=mark.index, since_time=mark.time)
        return changes if after is None else changes[:1]


def _change(mark: Mark, value: bytes) -> Change:
    try:
        return read_change(mark, value)
    except msgspec.MsgspecError as error:
        raise EngineError(f"the history of key {mark.key!r:.100} in etcd cannot be read: {error}") from error


def _decoded(value: bytes) -> KVEntry:
    try:
        return msgspec.msgpack.decode(value, type=KVEntry)
    except msgspec.MsgspecError as error:
        raise EngineError(f"a key in etcd cannot be read: {error}") from error
