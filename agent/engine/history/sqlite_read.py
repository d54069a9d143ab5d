"""Reads the history of KV keys from the embedded engine's file, on a separate connection, a page at a time."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from heapq import merge
from itertools import groupby, islice, takewhile
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from pyconsul.agent.engine.embedded.checksums import change_sum, row_sum
from pyconsul.agent.engine.embedded.datafile import Damaged, read_meta
from pyconsul.agent.engine.history.contract import PAGE_KEYS, Change, HistorySlice, KeyHistory, Retention
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.schemas import KV

_ROWS = f"SELECT key, row, sum FROM rows WHERE tbl = '{KV.name}' AND key {{}} ? ORDER BY key"
_CHANGES = (
    "SELECT key, idx, time, row, since, since_time, row_sum, sum FROM kv_history WHERE {} ORDER BY key, id"  # unindexed
)

Row = tuple[Any, ...]  # of _ROWS or _CHANGES
_decode = msgspec.msgpack.Decoder(KVEntry).decode


class Reader:
    """Reads one state of the file, whatever is written meanwhile.

    Methods block: run them in a thread.  They raise Damaged and sqlite3.Error.
    """

    def __init__(self, path: Path, key: str, retention: Retention, *, tree: bool, after: int | None) -> None:
        self._versions, self._after, self._exclude = retention.versions, after, retention.exclude
        self._in_use, self._closed = threading.Lock(), False
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            run = self._database.execute
            run("PRAGMA query_only = ON")
            run("PRAGMA temp_store = MEMORY")  # sorting the changes of a tree works on a full disk
            run("BEGIN")
            self._meta = read_meta(self._database, named=False)
            rows = run(_ROWS.format(">=" if tree else "="), (key,))
            changes = run(_CHANGES.format("instr(key, ?) = 1" if tree else "key = ?"), (key,))
            rows_below = takewhile(lambda row: row[0].startswith(key), rows)
            self._keys = groupby(merge(rows_below, changes, key=_key_of), key=_key_of)
        except BaseException:
            self.close()
            raise

    def page(self) -> list[KeyHistory]:
        """Return the next keys, none after the last."""
        with self._in_use:
            try:
                return [] if self._closed else [self._history(key, rows) for key, rows in islice(self._keys, PAGE_KEYS)]
            finally:
                if self._closed:
                    self._database.close()

    def _history(self, key: str, rows: Iterator[Row]) -> KeyHistory:
        current: KVEntry | None = None
        changes: list[Row] = []
        for row in rows:
            if len(row) == 3:
                current = _entry(*row)
            else:
                changes.append(row)
        return KeyHistory(key, current, self._kept(changes))

    def _kept(self, rows: Sequence[Row]) -> list[Change]:
        """Return the changes within the number of versions; the others are not pruned yet."""
        versions, after = self._versions, self._after
        beyond, kept = rows[:-versions], [_change(row) for row in rows[-versions:] if after is None or row[1] > after]
        if beyond and len(kept) == versions:
            kept[0] = replace(kept[0], since=beyond[-1][1], since_time=beyond[-1][2])
        return kept if after is None else kept[:1]

    def slice(self, failed: Callable[[Exception], Exception]) -> HistorySlice:
        """Return the keys; `failed` turns an error of reading them into the engine's."""
        meta = self._meta
        bounds = meta["index"], meta["history_floor"], meta.get("history_epoch", 0)
        return HistorySlice(*bounds, self._pages(failed), self.close, self._exclude)

    async def _pages(self, failed: Callable[[Exception], Exception]) -> AsyncIterator[list[KeyHistory]]:
        try:
            while page := await asyncio.to_thread(self.page):
                yield page
                if len(page) < PAGE_KEYS:
                    break
        except (sqlite3.Error, Damaged) as error:
            raise failed(error) from error

    def close(self) -> None:
        """Close the connection or, while a page is being read (its request was canceled), let that thread do it."""
        self._closed = True
        if self._in_use.acquire(blocking=False):
            try:
                self._database.close()
            finally:
                self._in_use.release()


def _key_of(row: Row) -> str:
    key: str = row[0]
    return key


def _change(row: Row) -> Change:
    key, index, time, before, since, since_time, of_row, checksum = row
    if checksum != change_sum(key, index, time, since, since_time):
        raise Damaged(f"a change of key {key!r} in the history does not match its checksum")
    return Change(index, time, None if before is None else _entry(key, before, of_row), since, since_time)


def _entry(key: str, row: bytes, checksum: int) -> KVEntry:
    if checksum != row_sum(KV.name, key, row):
        raise Damaged(f"a row of key {key!r} does not match its checksum")
    return _decode(row)
