"""The embedded engine: one SQLite file, every commit on disk before it is acknowledged.

WAL with synchronous=FULL: a commit is one fsync, however many changesets it holds.
A thread of its own does the writing, so that a slow disk never stops the event loop.
"""

from __future__ import annotations

import asyncio
import queue
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from pyconsul.agent.engine.contract import EngineError, Loaded
from pyconsul.agent.engine.history import NOTHING, Kept, Retention
from pyconsul.agent.engine.history_log import HistoryLog, Write
from pyconsul.agent.engine.history_read import read
from pyconsul.agent.state.draft import Changeset
from pyconsul.agent.state.schemas import KV
from pyconsul.agent.state.table import Key, Schema

ROOM = 256 << 10  # bytes that a disk must have free for a failure not to be for want of room
FORMAT = 1  # of the file; a newer one is refused
TABLES = """
CREATE TABLE IF NOT EXISTS rows (tbl TEXT NOT NULL, key TEXT NOT NULL, row BLOB NOT NULL, PRIMARY KEY (tbl, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
PUT = "INSERT INTO rows (tbl, key, row) VALUES (?, ?, ?) ON CONFLICT (tbl, key) DO UPDATE SET row = excluded.row"
DELETE = "DELETE FROM rows WHERE tbl = ? AND key = ?"
SET_INDEX = "INSERT INTO meta (name, value) VALUES ('index', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

_encode = msgspec.msgpack.Encoder().encode


class EmbeddedEngine:
    """Keeps the rows of the given tables in the SQLite file at `path`, and of keys their history."""

    def __init__(self, path: Path, schemas: Iterable[Schema[Any]], retention: Retention = NOTHING) -> None:
        self.path, self._retention = path, retention
        self._schemas = {schema.name: schema for schema in schemas}
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._database: sqlite3.Connection
        self._log: HistoryLog

    def load(self) -> Loaded:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, cached_statements=64
            )
            self.path.chmod(0o600)  # it holds tokens and values
            self._prepare()
            index = self._number("index")
            self._log = HistoryLog(self.path, self._database, self._retention)
            self._log.open(index)
        except (sqlite3.Error, OSError) as error:
            raise EngineError(self._without_room() or self._advice(error)) from error
        self._thread = threading.Thread(target=self._write_jobs, name="engine", daemon=True)
        self._thread.start()
        return Loaded(self._rows(), index)

    def _prepare(self) -> None:
        run = self._database.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA wal_autocheckpoint = 4000")
        found = run("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(" ".join(found.split()))
        self._database.executescript(TABLES)
        version = self._number("format") or FORMAT
        if version > FORMAT:
            raise sqlite3.DatabaseError(
                f"it was written by a newer pyconsul (format {version}; this one reads {FORMAT})"
            )
        run("INSERT OR REPLACE INTO meta (name, value) VALUES ('format', ?)", (FORMAT,))

    def _number(self, name: str) -> int:
        row = self._database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def _rows(self) -> Iterator[tuple[str, Any]]:
        decoders = {name: msgspec.msgpack.Decoder(schema.row_type).decode for name, schema in self._schemas.items()}
        for name, key, row in self._database.execute("SELECT tbl, key, row FROM rows"):
            decode = decoders.get(name)
            if decode is None:
                raise EngineError(self._advice(f"it holds rows of an unknown table {name!r}"))
            try:
                yield name, decode(row)
            except msgspec.MsgspecError as error:
                raise EngineError(self._advice(f"row {key!r} of table {name!r} cannot be read: {error}")) from error

    def _advice(self, reason: object) -> str:
        return (
            f"the data file {self.path} cannot be used: {reason}. Nothing was changed. Restore the folder from a backup, "
            f"or move {self.path.name} and its -wal file away to start empty."
        )

    def _without_room(self) -> str:
        """What to say when there is no room on the disk (SQLite's own words often tell another story); empty when there is."""
        try:
            free = shutil.disk_usage(self.path.parent).free
        except OSError:
            return ""
        return (
            f"cannot write to {self.path}: the disk is full ({free} bytes are free), make room" if free < ROOM else ""
        )

    async def commit(self, changesets: Sequence[Changeset]) -> int:
        await self._in_thread(lambda: self._commit(changesets))
        return changesets[-1].index

    def _commit(self, changesets: Sequence[Changeset]) -> None:
        last: dict[tuple[str, str], bytes | None] = {}  # within one commit only the last state of a row matters
        keys: list[list[Write]] = []
        for changeset in changesets:
            keys.append([])
            for schema, key, row in changeset.writes:
                if schema.durable:
                    text, stored = _text(key), None if row is None else _encode(row)
                    last[schema.name, text] = stored
                    if schema is KV:
                        keys[-1].append((text, stored))
        with self._transaction() as database:
            if self._log.on:
                self._log.record(changesets, keys)
            else:
                database.execute(SET_INDEX, (changesets[-1].index,))
            database.executemany(PUT, [(*name, stored) for name, stored in last.items() if stored is not None])
            if gone := [name for name, stored in last.items() if stored is None]:
                database.executemany(DELETE, gone)

    async def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        await self._in_thread(lambda: self._replace(rows, index))

    def _replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        with self._transaction() as database:
            database.execute("DELETE FROM rows")
            for table, row in rows:
                database.execute(PUT, (table, _text(self._schemas[table].key(row)), _encode(row)))
            database.execute(SET_INDEX, (index,))
            self._log.replace(index)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; what fails is taken back by whoever handles the failure."""
        kept = False
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database
            self._database.execute("COMMIT")
            kept = True
        finally:
            self._log.done(kept)

    async def kv_history(self, key: str, *, tree: bool = False, after: int | None = None) -> Kept | None:
        if not self._log.on:
            return None
        try:
            return await asyncio.to_thread(read, self.path, key, self._retention.versions, tree=tree, after=after)
        except sqlite3.Error as error:
            raise EngineError(f"cannot read {self.path}: {error}") from error

    async def close(self) -> None:
        thread = self._thread
        if thread is None:
            return
        self._thread = None
        self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
        self._log.close()
        self._database.close()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.put((work, done))
        await done

    def _write_jobs(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            failure: Exception | None = None
            try:
                work()
            except Exception as error:  # whatever it is, it is the caller's to know: this thread must go on
                failure = error
                with suppress(sqlite3.Error):
                    self._database.rollback()
                if isinstance(error, sqlite3.Error | OSError):
                    failure = EngineError(self._without_room() or f"cannot write to {self.path}: {error}")
            done.get_loop().call_soon_threadsafe(_settle, done, failure)


def _text(key: Key) -> str:
    return key if isinstance(key, str) else "\0".join(key)


def _settle(done: asyncio.Future[None], failure: Exception | None) -> None:
    if done.done():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
