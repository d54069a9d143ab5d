"""What the embedded engine's file tells of the history of keys, read beside the writing."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from pyconsul.agent.engine.embedded.checksums import change_sum, row_sum
from pyconsul.agent.engine.embedded.datafile import Damaged, read_meta
from pyconsul.agent.engine.history.contract import Change, Kept, Past, Retention
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.schemas import KV

_CHANGES = "SELECT key, idx, time, row, since, since_time, row_sum, sum FROM kv_history"

Row = tuple[Any, ...]  # of _CHANGES
_decode = msgspec.msgpack.Decoder(KVEntry).decode


def read(path: Path, key: str, retention: Retention, *, tree: bool, after: int | None) -> Kept:
    """What is kept of a key, or of all keys that begin with it: at most `retention.versions` changes of each.

    With `after` only the first of each behind that index.  On a connection of its own.  Blocks: run it in a thread.
    Raises Damaged, sqlite3.Error.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        run = database.execute
        run("PRAGMA query_only = ON")
        run("BEGIN")  # one state of the file for all that follows
        meta = read_meta(database, named=False)
        rows = run(
            f"SELECT key, row, sum FROM rows WHERE tbl = '{KV.name}' AND key {'>=' if tree else '='} ? ORDER BY key",
            (key,),
        )
        current = {row[0]: _entry(*row) for row in takewhile(lambda row: row[0].startswith(key), rows)}
        changes: dict[str, list[Row]] = {}
        for change in run(f"{_CHANGES} WHERE {'instr(key, ?) = 1' if tree else 'key = ?'} ORDER BY id", (key,)):
            changes.setdefault(change[0], []).append(change)
    keys = {
        name: Past(current.get(name), _kept(changes.get(name, ()), retention.versions, after))
        for name in current.keys() | changes.keys()
    }
    return Kept(meta["index"], meta["history_floor"], meta.get("history_epoch", 0), keys, retention.exclude)


def _kept(rows: Sequence[Row], versions: int, after: int | None) -> list[Change]:
    surplus, kept = rows[:-versions], [_change(row) for row in rows[-versions:] if after is None or row[1] > after]
    if surplus and len(kept) == versions:  # not swept away yet
        kept[0] = replace(kept[0], since=surplus[-1][1], since_time=surplus[-1][2])
    return kept if after is None else kept[:1]


def _change(row: Row) -> Change:
    key, index, time, before, since, since_time, of_row, checksum = row
    if checksum != change_sum(key, index, time, since, since_time):
        raise Damaged(f"a change of key {key!r} in the history does not match its checksum")
    return Change(index, time, None if before is None else _entry(key, before, of_row), since, since_time)


def _entry(key: str, row: bytes, checksum: int) -> KVEntry:
    if checksum != row_sum(KV.name, key, row):
        raise Damaged(f"a row of key {key!r} does not match its checksum")
    return _decode(row)
