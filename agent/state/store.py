"""The store: the installed tables, their indexes, and the watches on them.

Reads go straight to the tables.  A write is computed in a `WriteTxn`, made durable by an engine, and only then installed here;
installing publishes the topics that the changeset concerns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from pyconsul.agent.common.steps import Steps, empty, sort
from pyconsul.agent.model.named_index import NamedIndex
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Rows, Schema
from pyconsul.agent.state.schemas import ALL, INDEXES
from pyconsul.agent.state.table import Overlay, Table
from pyconsul.agent.state.watches import Watches

R = TypeVar("R")
Tables: TypeAlias = dict[str, Table[Any]]
log = logging.getLogger("agent.state")
FLOOR = "floor"  # the row of `INDEXES` with the value of all names that have no row: a state was put in place there


class InstallError(Exception):
    """A durable changeset could not be shown in full."""


class Store:
    """The state of one agent.  `index` is that of the last installed changeset.

    restored: the index at which another state last took the place of this one, 0 for never; no answer has a lower index.
    """

    def __init__(
        self,
        rows: Iterable[tuple[str, Any]] = (),
        index: int = 0,
        schemas: Iterable[Schema[Any]] = ALL,
        *,
        min_floor: int = 0,
    ) -> None:
        """Start from durable rows, (table name, row) each, with the named indexes, and the index they were written up to.

        min_floor: lowest value of named indexes without a row, which otherwise have that of the row FLOOR, or `index`.
        """
        self.index = self.restored = self._floor = 0
        self.watches = Watches()
        self._schemas = (INDEXES, *schemas)
        self._retired: list[Table[Any]] = []
        self._min_floor = min_floor
        self._observers: dict[str, Callable[[Any, Any], None]] = {}
        self._put_in_place(self.tables_of(rows), index)

    def _put_in_place(self, tables: Tables, index: int) -> None:
        self._tables: Tables = tables
        self._visible: Mapping[str, Rows[Any]] = tables  # what readers see; see `install_large`
        self._indexes: Table[NamedIndex] = tables[INDEXES.name]
        self.index = index
        row = self._indexes.get(FLOOR)
        self._floor = max(index if row is None else row.index, self._min_floor)
        self.restored = 0 if row is None and not self._min_floor else self._floor  # the floor has stood there since

    def __getitem__(self, schema: Schema[R]) -> Rows[R]:
        return self._visible[schema.name]

    def index_of(self, *names: str) -> int:
        get, floor = self._indexes.get, self._floor
        return max(1, *[floor if (row := get(name)) is None else row.index for name in names])

    def last_index(self, name: str) -> int | None:
        row = self._indexes.get(name)
        return (self._floor or None) if row is None else row.index

    def observe(self, schema: Schema[R], observer: Callable[[R | None, R | None], None]) -> None:
        """Call an observer with the old and the new row of each change of a table from now on, but for a restore."""
        self._observers[schema.name] = observer

    def install(self, changeset: Changeset) -> None:
        """Make a durable changeset visible, and publish its topics.

        Raises InstallError when a row could not be shown; everything else of the changeset is in place then.
        """
        topics: list[str] = []
        failure, tables, observers = None, self._tables, self._observers
        for schema, key, row in changeset.writes:
            try:
                table = tables[schema.name]
                old = table.remove(key) if row is None else table.put_at(key, row)
                if schema.topics is not None:
                    topics += _topics_of(schema, old, row)
                if schema.name in observers:
                    _tell(observers[schema.name], old, row)
            except Exception as error:
                failure = error
        self._set_indexes(changeset)
        topics += changeset.indexes
        self.watches.fire(topics)
        if failure is not None:
            raise _not_shown(failure) from failure

    def install_in_steps(self, changeset: Changeset) -> Steps[None]:
        """Install a large changeset as `install_large` does, without the overlays of a transaction."""
        overlays: dict[str, Overlay[Any]] = {}
        for schema, key, row in changeset.writes:
            if schema.name not in overlays:
                overlays[schema.name] = Overlay(self._tables[schema.name], schema)
            if row is None:
                overlays[schema.name].remove(key)
            else:
                overlays[schema.name].put_at(key, row)
            yield
        yield from self.install_large(changeset, overlays)

    def install_large(self, changeset: Changeset, overlays: Mapping[str, Overlay[Any]]) -> Steps[None]:
        """Make a large durable changeset visible, all of it in one step, and publish its topics.

        overlays: the tables that it changes, as they look afterwards.  Readers see them until, step by step, the tables
        themselves have its rows; an overlay hides each row that it changes, so readers never see a part.  Nothing else may
        be installed before the last step, after which changeset and overlays are empty.  Raises InstallError as `install` does.
        """
        found = yield from self._topics_in_steps(changeset)
        topics = yield from sort(found)
        self._visible = {**self._tables, **overlays}
        self._set_indexes(changeset)
        self.watches.fire_sorted(topics)
        failure = None
        for schema, key, row in changeset.writes:
            yield
            try:
                table = self._tables[schema.name]
                old = table.remove(key) if row is None else table.put_at(key, row)
                if schema.name in self._observers:
                    _tell(self._observers[schema.name], old, row)
            except Exception as error:
                failure = error
        self._visible = self._tables
        for part in (topics, found, changeset.history, changeset.writes, changeset.stored or []):
            yield from empty(part)
        for overlay in overlays.values():
            yield from overlay.release()
        if failure is not None:
            raise _not_shown(failure) from failure

    def _topics_in_steps(self, changeset: Changeset) -> Steps[dict[str, None]]:
        """Return the topics that a changeset concerns, before it is installed."""
        found: dict[str, None] = {}
        for schema, key, row in changeset.writes:
            if schema.topics is not None:
                found.update(dict.fromkeys(_topics_of(schema, self._tables[schema.name].get(key), row)))
            yield
        found.update(dict.fromkeys(changeset.indexes))
        return found

    def _set_indexes(self, changeset: Changeset) -> None:
        self.index = changeset.index
        for name, index in changeset.indexes.items():
            if index is None:
                self._indexes.remove(name)
            else:
                self._indexes.put_at(name, NamedIndex(name, index))

    def tables_of(self, rows: Iterable[tuple[str, Any]]) -> Tables:
        """Return tables with other rows, for `replace_tables`; slow with many of them, and may run in another thread.

        Nothing changes yet; raises the exception of an invalid row.
        """
        tables: Tables = {schema.name: Table(schema) for schema in self._schemas}
        by_table: dict[str, list[Any]] = {name: [] for name in tables}
        for name, row in rows:
            by_table[name].append(row)
        for name, found in by_table.items():
            tables[name].fill(found)
        return tables

    def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        """Take another state's rows (a snapshot's) in place of all there are, and wake every watcher."""
        self.replace_tables(self.tables_of([*rows, floor_row(index)]), index)

    def replace_tables(self, tables: Tables, index: int) -> None:
        """Take other tables in place of those there are, named indexes included, and wake every watcher."""
        self._retired += self._tables.values()
        self._put_in_place(tables, index)
        self.watches.fire_all()

    def release_retired(self) -> Steps[None]:
        """Free the tables that others took the place of, row by row."""
        while self._retired:
            yield from self._retired.pop().release()


def _tell(observer: Callable[[Any, Any], None], old: Any, new: Any) -> None:
    """Call an observer; its failure does not concern the writer."""
    try:
        observer(old, new)
    except Exception:
        log.exception("an observer of the state failed: %r", observer)


def floor_row(index: int) -> tuple[str, NamedIndex]:
    """Return the row with the lowest value of all other named indexes, as (table name, row)."""
    return INDEXES.name, NamedIndex(FLOOR, index)


def _topics_of(schema: Schema[Any], old: Any, new: Any) -> Iterable[str]:
    """Return the topics that a change of a row concerns."""
    topics = schema.topics
    assert topics is not None
    if new is None:
        return () if old is None else topics(old)
    if old is None or schema.topics_by_key:
        return topics(new)
    return (*topics(old), *topics(new))


def _not_shown(failure: Exception) -> InstallError:
    return InstallError(f"the write is durable, but shows only after a restart: {failure}")
