"""The data file: an SQLite database of format 2.  Reading it compares every checksum.

    rows    (tbl, key, row, sum)           rows of all tables in their stored form (see `state.codec`)
    meta    (name, value, sum, chain)      numbers: format, id, index (with the chain), floor, history_…,
                                           and the rows of `schemas.INDEXES` as `index/NAME`
    aside   (tbl, key, row, reason)        rows that could not be used, for a repair by hand
    kv_history                             see `engine.history.sqlite_log`

Named indexes are stored beside the index of the last commit, whose page every commit writes anyway.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pyconsul.agent.engine.embedded.checksums import number_sum, stored_row_sum
from pyconsul.agent.state import store
from pyconsul.agent.state.codec import decoder
from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.row_rules import check_row

FORMAT = 2
#: Instead of the format once the state has moved to a cluster, so that no version uses the file any more.
MOVED_FORMAT = 1_000
MOVED = "moved/"  # before the ID of that cluster in `meta`; the value is the last index
NAMED = "index/"  # before a named index in `meta`
FLOOR = "floor"  # the row `store.FLOOR` of the named indexes; it has no prefix
NUMBERS = ("id", "index", FLOOR)  # always in `meta`
TABLES = (
    "CREATE TABLE IF NOT EXISTS rows (tbl TEXT NOT NULL, key TEXT NOT NULL, row BLOB NOT NULL, sum INTEGER NOT NULL,"
    " PRIMARY KEY (tbl, key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL, sum INTEGER NOT NULL,"
    " chain INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS aside (tbl TEXT, key TEXT, row BLOB, reason TEXT NOT NULL)",
)
PUT_ROW = (
    "INSERT INTO rows (tbl, key, row, sum) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (tbl, key) DO UPDATE SET row = excluded.row, sum = excluded.sum"
)
DELETE_ROW = "DELETE FROM rows WHERE tbl = ? AND key = ?"
PUT_META = (
    "INSERT INTO meta (name, value, sum, chain) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value, sum = excluded.sum, chain = excluded.chain"
)
DELETE_META = "DELETE FROM meta WHERE name = ?"
NO_NUMBERS: Mapping[str, int] = {}


class Damaged(Exception):
    """The file differs from what was written; the text says how.

    acceptable: an operator may accept the damage (see `opening.ACCEPT`), and what is intact is used.
    """

    def __init__(self, reason: str, *, acceptable: bool = False) -> None:
        super().__init__(reason)
        self.acceptable = acceptable


class BadRow(NamedTuple):
    """A stored row that cannot be used: its table and key as raw bytes, and the reason."""

    table: bytes
    key: bytes
    reason: str

    def __str__(self) -> str:
        table, key = (text.decode("utf-8", "backslashreplace") for text in (self.table, self.key))
        return f"{table}/{key.replace(chr(0), '/')} ({self.reason})"


@dataclass(slots=True)
class Contents:
    """The rows of a file as (table name, row), and the rows that cannot be used or do not match their checksum."""

    rows: list[tuple[str, Any]] = field(default_factory=list)
    unusable: list[BadRow] = field(default_factory=list)
    damaged: list[BadRow] = field(default_factory=list)


def connect(path: Path) -> sqlite3.Connection:
    """Open or create the file for its owner only, for writing."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)  # it holds tokens and values
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA wal_autocheckpoint = 4000")
    database.execute("PRAGMA secure_delete = ON")  # overwrites what is deleted: it may be a secret
    return database


def empty_log(database: sqlite3.Connection) -> bool:
    """Move the write-ahead log into the file and truncate it, since it holds earlier states of pages.

    Return False when that is not possible now: a reader is busy, or the disk is full.
    """
    try:
        busy: int = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.Error:
        return False
    return not busy


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open the file for reading.  Closing a connection that may write would truncate a damaged log."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def connect_on_full_disk(path: Path) -> sqlite3.Connection:
    """Open the file on a full disk, with the index of its write-ahead log in memory."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    return database


def check_structure(database: sqlite3.Connection) -> None:
    """Raises Damaged, sqlite3.Error."""
    try:
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except UnicodeDecodeError:  # SQLite quotes damaged text
        raise Damaged("its structure is damaged") from None
    if found != "ok":
        raise Damaged(" ".join(found.split()))


def format_of(database: sqlite3.Connection) -> int:
    """Return the format of the file, 0 when it is empty.  Raises Damaged for a newer one."""
    tables = {name for (name,) in database.execute("SELECT CAST(name AS BLOB) FROM sqlite_master")}
    if not tables:
        return 0
    row = database.execute("SELECT value FROM meta WHERE name = 'format'").fetchone() if b"meta" in tables else None
    version = row[0] if row else None
    if not isinstance(version, int) or version < 1:
        raise Damaged("its format number cannot be read")
    if version > FORMAT:
        raise Damaged(f"it was written by a newer pyconsul (format {version}; this one reads up to format {FORMAT})")
    return version


def create(database: sqlite3.Connection) -> None:
    """Make the tables of an empty file, in a transaction of the caller."""
    for statement in TABLES:
        database.execute(statement)
    put_meta(database, {"format": FORMAT, "id": secrets.randbits(63), "index": 0, "floor": 0})


def mark_moved(database: sqlite3.Connection, cluster_id: str, index: int) -> None:
    """Record that a cluster holds the state, in a transaction of the caller."""
    put_meta(database, {"format": MOVED_FORMAT, MOVED + cluster_id: index})


def moved_to(database: sqlite3.Connection) -> str:
    """Return the ID of the cluster that holds the state, "" while it is in the file."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        return ""
    if database.execute("SELECT value FROM meta WHERE name = 'format'").fetchone() != (MOVED_FORMAT,):
        return ""
    found = database.execute("SELECT name FROM meta WHERE name GLOB ?", (MOVED + "*",)).fetchone()
    return str(found[0]).removeprefix(MOVED) if found else ""


def name_of(index_name: str) -> str:
    """Return the name in `meta` of a named index."""
    return FLOOR if index_name == store.FLOOR else NAMED + index_name


def put_meta(database: sqlite3.Connection, values: Mapping[str, int]) -> None:
    """Set numbers of `meta`."""
    database.executemany(PUT_META, [(name, value, number_sum(name, value), 0) for name, value in values.items()])


def set_index(database: sqlite3.Connection, index: int, chain: int, values: Mapping[str, int] = NO_NUMBERS) -> None:
    """Set the index of the last commit and the chain up to it, and other numbers of `meta`."""
    numbers: list[tuple[str, int, int, int]] = [("index", index, number_sum("index", index), chain)]
    for name, value in values.items():
        numbers.append((name, value, number_sum(name, value), 0))
    database.executemany(PUT_META, numbers)


def chain_of(database: sqlite3.Connection) -> int:
    """Return the chain up to the last commit, 0 when it cannot be read."""
    found = database.execute("SELECT chain FROM meta WHERE name = 'index'").fetchone()
    return found[0] if found and isinstance(found[0], int) else 0


def read_meta(
    database: sqlite3.Connection, *, named: bool = True, damaged: list[bytes] | None = None
) -> dict[str, int]:
    """Return all numbers of `meta`, or all but the named indexes.

    Raises Damaged for a number that is damaged or missing; with a list `damaged` their names are appended to that instead.
    """
    found = {}
    which = "" if named else f" WHERE name NOT GLOB '{NAMED}*'"
    for name, value, given in database.execute(f"SELECT CAST(name AS BLOB), value, sum FROM meta{which}"):
        text = name.decode("utf-8", "backslashreplace")
        if not isinstance(value, int) or given != number_sum(text, value):
            if damaged is None:
                raise Damaged(f"the number {text!r} does not match its checksum", acceptable=True)
            damaged.append(name)
            continue
        found[text] = value
    for name in NUMBERS:
        if name not in found and damaged is None:
            raise Damaged(f"the number {name!r} is missing", acceptable=True)
    return found


def repair_meta(database: sqlite3.Connection, damaged: Iterable[bytes], values: Mapping[str, int]) -> None:
    """Drop damaged numbers of `meta` and set others, in a transaction of the caller."""
    for name in damaged:
        database.execute("DELETE FROM meta WHERE CAST(name AS BLOB) = ?", (name,))
    put_meta(database, values)


def read_rows(database: sqlite3.Connection, schemas: Mapping[str, Schema[Any]], *, sums: bool = True) -> Contents:
    """Return every row of the file, decoded and checked; `sums` is False for format 1, which has none."""
    contents = Contents()
    known = {name.encode(): (name, schema, decoder(schema.row_type)) for name, schema in schemas.items()}
    columns = "CAST(tbl AS BLOB), CAST(key AS BLOB), CAST(row AS BLOB), " + ("CAST(sum AS INTEGER)" if sums else "0")
    for table, key, data, given in database.execute(f"SELECT {columns} FROM rows"):
        if sums and (not isinstance(data, bytes) or given != stored_row_sum(table, key, data)):
            contents.damaged.append(BadRow(table, key, "does not match its checksum"))
            continue
        try:
            name, schema, decode = known[table]
            row = decode(data)
            check_row(schema.row_type, row)
            contents.rows.append((name, row))
        except KeyError:
            contents.unusable.append(BadRow(table, key, "unknown table"))
        except Exception as error:  # a row may be anything; it must not keep the agent from starting
            contents.unusable.append(BadRow(table, key, str(error)))
    return contents


def set_aside(database: sqlite3.Connection, rows: Iterable[BadRow]) -> None:
    """Move rows to the table `aside`, in a transaction of the caller."""
    for bad in rows:
        key: tuple[str | bytes, str | bytes]
        try:
            where, key = "tbl = ?1 AND key = ?2", (bad.table.decode(), bad.key.decode())
        except UnicodeDecodeError:  # damaged; found by looking at every row
            where, key = "CAST(tbl AS BLOB) = ?1 AND CAST(key AS BLOB) = ?2", (bad.table, bad.key)
        database.execute(
            f"INSERT INTO aside (tbl, key, row, reason) SELECT tbl, key, row, ?3 FROM rows WHERE {where}",
            (*key, bad.reason),
        )
        database.execute(f"DELETE FROM rows WHERE {where}", key)


def transaction(database: sqlite3.Connection, work: Callable[[], None]) -> None:
    """Run work in one transaction: all or nothing.  Raises sqlite3.Error and what the work raises."""
    database.execute("BEGIN IMMEDIATE")
    try:
        work()
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.rollback()
        raise
