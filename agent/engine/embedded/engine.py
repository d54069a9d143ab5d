"""The embedded engine, for a single server: every commit is on disk before it is acknowledged.

WAL with synchronous=FULL: a commit is one fsync, however many changesets it holds.  A separate thread writes, so that a slow disk
never stops the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pyconsul.agent.engine.contract import NO_LIMITS, Conflict, EngineError, Loaded
from pyconsul.agent.engine.embedded import datafile
from pyconsul.agent.engine.embedded.checksums import next_chain, row_sum
from pyconsul.agent.engine.embedded.datafile import DELETE_META, DELETE_ROW, NAMED, PUT_ROW, Damaged
from pyconsul.agent.engine.embedded.opening import (
    ACCEPT_NONE,
    AcceptedDamage,
    OpenFile,
    damage_advice,
    disk_is_full,
    moved_to,
    open_file,
    read_copy,
    read_on_full_disk,
)
from pyconsul.agent.engine.history.contract import NO_HISTORY, HistorySlice, Retention
from pyconsul.agent.engine.history.sqlite_log import HistoryLog, Write
from pyconsul.agent.engine.history.sqlite_read import Reader
from pyconsul.agent.state import codec
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Schema
from pyconsul.agent.state.schemas import INDEXES, KV

log = logging.getLogger("agent.engine")


class EmbeddedEngine:
    """Keeps the rows of the given tables, named indexes, and the history of KV keys in the SQLite file at `path`.

    `load` refuses a damaged file, except for damage that is accepted.
    """

    limits = NO_LIMITS

    def __init__(
        self,
        path: Path,
        schemas: Iterable[Schema[Any]],
        retention: Retention = NO_HISTORY,
        *,
        accepted: AcceptedDamage = ACCEPT_NONE,
    ) -> None:
        self.path, self._retention, self._accepted = path, retention, accepted
        self._schemas = {schema.name: schema for schema in schemas}
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._opened: OpenFile | None = None  # None while a full disk allows reading only
        self._log: HistoryLog | None = None
        self._index = 0
        self._mark_fails = False
        self._has_moved = False
        self._log_to_empty = False  # the log holds purged values

    async def load(self) -> Loaded:
        """Read the file; blocks the event loop: nothing else runs at the start of an agent."""
        if cluster_id := self.moved_to:
            raise EngineError(
                f"the state in {self.path} has moved to cluster {cluster_id}, whose data is in"
                f" {self.path.parent / 'cluster'}: start the agent as a server of that cluster"
            )
        try:
            contents = self._open()
        except (sqlite3.Error, OSError) as error:
            full = disk_is_full(self.path)
            if not full or not self.path.exists():
                raise EngineError(full or damage_advice(self.path, error)) from error
            contents = self._load_on_full_disk(full)
        except Damaged as error:
            raise EngineError(damage_advice(self.path, error)) from error
        self._thread = threading.Thread(target=self._run_jobs, name="engine", daemon=True)
        self._thread.start()
        return contents

    def _open(self) -> Loaded:
        """Raises Damaged, sqlite3.Error, OSError."""
        opened, rows = open_file(self.path, self._schemas, self._accepted)
        try:
            history = HistoryLog(self.path, opened.database, self._retention)
            history.open(opened.index)
            datafile.empty_log(opened.database)  # a killed agent may have left purged values there
        except BaseException:
            opened.close()
            raise
        self._opened, self._log, self._index = opened, history, opened.index
        return Loaded([*rows, *opened.index_rows()], opened.index)

    def _load_on_full_disk(self, reason: str) -> Loaded:
        """Read the file without writing; commits fail until there is room."""
        try:
            loaded = read_on_full_disk(self.path, self._schemas, self._accepted)
        except (sqlite3.Error, OSError, Damaged) as error:
            raise EngineError(damage_advice(self.path, error)) from error
        log.error("serving reads only, writes fail until there is room: %s", reason)
        self._index = loaded.index
        return loaded

    async def commit(self, batch: Sequence[Changeset]) -> int:
        if self._index and batch[0].index != self._index + 1:
            raise Conflict(self._index)
        await self._in_thread(lambda: self._commit(batch))
        return batch[-1].index

    async def took_effect(self, commit_id: int) -> bool:
        raise EngineError(f"no commit to {self.path} has an unknown outcome")

    async def barrier(self) -> int:
        return self._index

    async def watch(self, after: int) -> AsyncIterator[Changeset]:
        while True:
            await asyncio.get_running_loop().create_future()  # this server is the only writer
            yield Changeset(after, 0.0)

    def _commit(self, changesets: Sequence[Changeset]) -> None:
        """Write changesets; only the last state of a row and of a named index is stored."""
        last: dict[tuple[str, str], tuple[bytes | None, int]] = {}
        indexes: dict[str, int | None] = {}
        keys: list[list[Write]] = []
        for changeset in changesets:
            written: list[Write] = []
            for table, key, data in codec.store_rows(changeset):
                checksum = 0 if data is None else row_sum(table, key, data)
                last[table, key] = data, checksum
                if table == KV.name:
                    written.append((key, data, checksum))
            keys.append(written)
            indexes.update(changeset.indexes)
            if changeset.purged:
                self._log_to_empty = True
        index = changesets[-1].index
        opened, history = self._writable()
        chain = next_chain(opened.chain, index, [checksum for _, checksum in last.values()])

        def write() -> None:
            run = opened.database.executemany
            if history.on:
                history.record(changesets, keys)
                history.purge(changesets)
            run(PUT_ROW, [(*name, data, checksum) for name, (data, checksum) in last.items() if data is not None])
            if gone := [name for name, (data, _) in last.items() if data is None]:
                run(DELETE_ROW, gone)
            raised = {NAMED + name: value for name, value in indexes.items() if value is not None}
            datafile.set_index(opened.database, index, chain, raised)
            if dropped := [(NAMED + name,) for name, value in indexes.items() if value is None]:
                run(DELETE_META, dropped)

        self._transact(opened, history, write, index, chain)
        if self._log_to_empty:
            self._empty_log(opened)

    def _empty_log(self, opened: OpenFile) -> None:
        """Remove purged values from the write-ahead log too, or try again after the next commit."""
        self._log_to_empty = not datafile.empty_log(opened.database)
        if self._log_to_empty:
            log.warning("purged values stay in the log of %s until it can be emptied: it is in use", self.path)

    async def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        if index <= self._index:
            raise Conflict(self._index)
        await self._in_thread(lambda: self._replace(list(rows), index))

    def _replace(self, rows: Sequence[tuple[str, Any]], index: int) -> None:
        opened, history = self._writable()
        sums: list[int] = []
        indexes = {datafile.name_of(row.name): row.index for table, row in rows if table == INDEXES.name}

        def write() -> None:
            run = opened.database.execute
            run("DELETE FROM rows")
            others = ((self._schemas[name], row) for name, row in rows if name != INDEXES.name)
            for table, key, data in codec.stored_rows(others):
                assert data is not None
                sums.append(row_sum(table, key, data))
                run(PUT_ROW, (table, key, data, sums[-1]))
            run("DELETE FROM meta WHERE name GLOB ?", (NAMED + "*",))
            history.replace(index)
            chain = next_chain(opened.chain, index, sums)
            datafile.set_index(opened.database, index, chain, indexes)
            opened.next_chain = chain

        self._transact(opened, history, write, index, None)

    def _transact(
        self, opened: OpenFile, history: HistoryLog, write: Callable[[], None], index: int, chain: int | None
    ) -> None:
        """Write in one transaction; a failure rolls it back."""
        kept = False
        try:
            datafile.transaction(opened.database, write)
            kept = True
        finally:
            history.done(kept)
        opened.index, opened.chain = index, opened.next_chain if chain is None else chain
        self._index = index
        self._write_mark(opened)

    def _write_mark(self, opened: OpenFile) -> None:
        """Write the mark of a commit that is on disk; without it a later check detects less."""
        try:
            opened.write_mark()
            self._mark_fails = False
        except OSError as error:
            if not self._mark_fails:
                log.warning("cannot write %s, a loss of commits would not be noticed: %s", opened.mark.path, error)
            self._mark_fails = True

    def _writable(self) -> tuple[OpenFile, HistoryLog]:
        """Return the open file, opening one that could only be read.  Raises EngineError, sqlite3.Error, OSError."""
        if self._has_moved:
            raise EngineError(f"the state in {self.path} has moved to a cluster")
        if self._opened is None or self._log is None:
            before = self._index
            try:
                self._open()
            except Damaged as error:
                raise EngineError(damage_advice(self.path, error)) from error
            if self._index != before:
                raise EngineError(f"{self.path} was changed by another program: restart the agent")
            log.info("%s can be written again", self.path)
        assert self._opened is not None
        assert self._log is not None
        return self._opened, self._log

    async def history(self, key: str, *, tree: bool = False, after: int | None = None) -> HistorySlice | None:
        if not self._retention.on:
            return None
        try:
            reader = await asyncio.to_thread(Reader, self.path, key, self._retention, tree=tree, after=after)
        except (sqlite3.Error, Damaged) as error:
            raise _read_error(self.path, error) from error
        return reader.slice(partial(_read_error, self.path))

    async def retain(self, retention: Retention, now: float) -> None:
        await self._in_thread(lambda: self._retain(retention, now))

    def _retain(self, retention: Retention, now: float) -> None:
        opened, history = self._opened, self._log
        if opened is not None and history is not None:
            if retention != self._retention:
                history.retain(retention, opened.index)
                self._empty_log(opened)  # values of excluded keys may be there
            history.prune(now)
        self._retention = retention

    # --- the move to a cluster

    @property
    def moved_to(self) -> str:
        try:
            return moved_to(self.path)
        except sqlite3.Error:
            return ""  # `load` says what is wrong with the file

    async def copy(self) -> Loaded:
        try:
            return await asyncio.to_thread(read_copy, self.path, self._schemas)
        except (sqlite3.Error, Damaged) as error:
            raise _read_error(self.path, error) from error

    async def mark_moved(self, cluster_id: str) -> None:
        def mark() -> None:
            database = self._writable()[0].database
            datafile.transaction(database, lambda: datafile.mark_moved(database, cluster_id, self._index))
            self._has_moved = True

        await self._in_thread(mark)

    async def close(self) -> None:
        thread = self._thread
        if thread is None:
            return
        self._thread = None
        self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
        if self._log is not None:
            self._log.close()
        if self._opened is not None:
            self._opened.close()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.put((work, done))
        await done

    def _run_jobs(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            failure: Exception | None = None
            try:
                work()
            except (sqlite3.Error, OSError) as error:
                failure = EngineError(disk_is_full(self.path) or f"cannot write to {self.path}: {error}")
            except Exception as error:  # for the caller; this thread goes on
                failure = error
            done.get_loop().call_soon_threadsafe(_settle, done, failure)


def _read_error(path: Path, error: Exception) -> EngineError:
    return EngineError(disk_is_full(path) or f"cannot read {path}: {error}")


def _settle(done: asyncio.Future[None], failure: Exception | None) -> None:
    if done.done():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
