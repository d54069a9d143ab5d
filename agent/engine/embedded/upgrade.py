"""Upgrades a data file of format 1 in place: one transaction, so that a kill at any moment leaves the old format or the new."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from pyconsul.agent.engine.embedded.checksums import change_sum, row_sum
from pyconsul.agent.engine.embedded.datafile import FORMAT, PUT_ROW, TABLES, put_meta
from pyconsul.agent.engine.history.sqlite_log import TABLE as HISTORY
from pyconsul.agent.state.codec import decoder, stored_key
from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.schemas import KV

FORMAT_1_META = "SELECT name, value FROM meta"


def upgrade(database: sqlite3.Connection, schemas: Mapping[str, Schema[Any]]) -> None:
    """Turn a file of format 1 into one of this format, in a transaction of the caller.

    Format 1 had no checksums and no named indexes; those start at the last index, as they did at each start with format 1.
    """
    run = database.execute
    meta = dict(run(FORMAT_1_META).fetchall())
    index = int(meta.get("index", 0))
    run("ALTER TABLE rows RENAME TO rows_1")
    run("DROP TABLE meta")
    for statement in TABLES:
        run(statement)
    for table, key, data in run("SELECT tbl, key, row FROM rows_1"):
        text = _new_key(schemas.get(table), key, data)
        run(PUT_ROW, (table, text, data, row_sum(table, text, data)))
    run("DROP TABLE rows_1")
    numbers = {"format": FORMAT, "id": secrets.randbits(63), "index": index, "floor": index}
    if _upgrade_history(database, meta, index):
        numbers |= {name: int(meta[name]) for name in ("history_floor", "history_epoch") if name in meta}
    put_meta(database, numbers)


def _new_key(schema: Schema[Any] | None, key: str, data: bytes) -> str:
    """Return the key under which a row is stored in this format, the old key for a row that cannot be read."""
    if schema is None:
        return key
    try:
        return stored_key(schema.key(decoder(schema.row_type)(data)))
    except (msgspec.MsgspecError, AttributeError, UnicodeError):
        return key


def _upgrade_history(database: sqlite3.Connection, meta: Mapping[str, int], index: int) -> bool:
    """Add checksums to every change; return False when there is no history of the present rows."""
    run = database.execute
    if not run("SELECT 1 FROM sqlite_master WHERE name = 'kv_history'").fetchone():
        return False
    if meta.get("history") != index or "history_floor" not in meta:
        run("DROP TABLE kv_history")
        return False
    run("ALTER TABLE kv_history RENAME TO kv_history_1")
    run(HISTORY)
    changes = run("SELECT id, key, idx, time, since, since_time, row FROM kv_history_1 ORDER BY id")
    for number, key, changed_at, time, since, since_time, row in changes:
        of_row = None if row is None else row_sum(KV.name, key, row)
        run(
            "INSERT INTO kv_history (id, key, idx, time, since, since_time, row, row_sum, sum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, key, changed_at, time, since, since_time, row, of_row,
             change_sum(key, changed_at, time, since, since_time)),
        )  # fmt: skip
    run("DROP TABLE kv_history_1")
    return True
