"""The store: the installed tables, their indexes, and the watches on them.

Reads go straight to the tables.  A write is worked out in a `WriteTxn`, made durable by an
engine, and only then installed here; installing wakes whoever watches what changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from pyconsul.agent.common.steps import Steps, empty, sort
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Key, Rows, Schema
from pyconsul.agent.state.schemas import ALL
from pyconsul.agent.state.table import Overlay, Table
from pyconsul.agent.state.watches import Watches

R = TypeVar("R")
Tables: TypeAlias = dict[str, Table[Any]]


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
        named: Mapping[str, int] | None = None,
        floor: int | None = None,
    ) -> None:
        """Start from durable rows, (table name, row) each, and the index they were written up to.

        named: the named indexes, as far as they were kept; floor: where all others stand, by default at `index`.
        """
        self.index = index
        self.restored = floor or 0  # the floor has stood there since
        self.watches = Watches()
        self._floor = index if floor is None else floor
        self._named = dict(named or {})
        self._tables = _tables(schemas, rows)
        self._retired: list[Table[Any]] = []
        self._visible: Mapping[str, Rows[Any]] = self._tables  # what readers see; see `install_large`

    def __getitem__(self, schema: Schema[R]) -> Rows[R]:
        return self._visible[schema.name]

    def index_of(self, *names: str) -> int:
        named, floor = self._named, self._floor
        return max(1, *[named.get(name, floor) for name in names])

    def last_index(self, name: str) -> int | None:
        return self._named.get(name, self._floor or None)

    def install(self, changeset: Changeset) -> None:
        """Make a durable changeset visible, and wake its watchers.

        Raises InstallError when a row could not be shown; everything else of the changeset is in place then.
        """
        failure = None
        for write in changeset.writes:
            failure = self._fold(*write) or failure
        self._raise_indexes(changeset)
        self.watches.fire((*changeset.topics, *changeset.touched, *changeset.forgotten))
        _report(failure)

    def install_large(self, changeset: Changeset, overlays: Mapping[str, Overlay[Any]]) -> Steps[None]:
        """Make a large durable changeset visible, all of it in one step, and wake its watchers.

        overlays: the tables that it changes, as they look afterwards.  Readers see them until, step by step, the tables
        themselves have its rows; an overlay hides each row that it changes, so they never see a part.  Nothing else may
        be installed before the last step, after which changeset and overlays are empty.  Raises InstallError as `install` does.
        """
        topics = yield from sort((*changeset.topics, *changeset.touched, *changeset.forgotten))
        self._visible = {**self._tables, **overlays}
        self._raise_indexes(changeset)
        self.watches.fire_sorted(topics)
        failure = None
        for write in changeset.writes:
            yield
            failure = self._fold(*write) or failure
        self._visible = self._tables
        for part in (topics, changeset.topics, changeset.writes, changeset.stored or []):
            yield from empty(part)
        for overlay in overlays.values():
            yield from overlay.release()
        _report(failure)

    def _fold(self, schema: Schema[Any], key: Key, row: Any) -> Exception | None:
        """Put a row into its table, or remove it; the error that prevented it."""
        try:
            if row is None:
                self._tables[schema.name].remove(key)
            else:
                self._tables[schema.name].put_at(key, row)
        except Exception as error:
            return error
        return None

    def _raise_indexes(self, changeset: Changeset) -> None:
        self.index = changeset.index
        for name in changeset.forgotten:
            self._named.pop(name, None)
        for name in changeset.touched:
            self._named[name] = changeset.index

    def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        """Take another state's rows in place of all there are (a snapshot's), and wake everybody."""
        self.replace_tables(self.tables_of(rows), index)

    def tables_of(self, rows: Iterable[tuple[str, Any]]) -> Tables:
        """Tables with other rows, for `replace_tables`; slow with many of them, and may run in another thread.

        Nothing changes yet; raises what a bad row raises.
        """
        return _tables([table.schema for table in self._tables.values()], rows)

    def replace_tables(self, tables: Tables, index: int) -> None:
        """Take other tables in place of those there are, and wake everybody."""
        self._retired += self._tables.values()
        self._tables = self._visible = tables
        self.index = self._floor = self.restored = index
        self._named.clear()
        self.watches.fire_all()

    def release_retired(self) -> Steps[None]:
        """Free the tables that others took the place of, row by row."""
        while self._retired:
            yield from self._retired.pop().release()


def _report(failure: Exception | None) -> None:
    if failure is not None:
        raise InstallError(f"the write is durable, but shows only after a restart: {failure}") from failure


def _tables(schemas: Iterable[Schema[Any]], rows: Iterable[tuple[str, Any]]) -> Tables:
    """Tables with their rows."""
    tables: dict[str, Table[Any]] = {schema.name: Table(schema) for schema in schemas}
    by_table: dict[str, list[Any]] = {name: [] for name in tables}
    for name, row in rows:
        by_table[name].append(row)
    for name, found in by_table.items():
        tables[name].fill(found)
    return tables
