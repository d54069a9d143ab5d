"""A table in memory: rows by primary key, with secondary indexes.

`Table` holds rows.  `Overlay` shows a table with pending rows over it, so that a write is computed without changing what readers
see.  Both are read in the same way (`Rows`).
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Iterator, MutableMapping
from heapq import merge
from itertools import islice
from typing import Generic, TypeVar

from sortedcontainers import SortedDict

from pyconsul.agent.common.steps import Steps, empty
from pyconsul.agent.state.contract import Key, Rows, Schema

_LAST = chr(sys.maxunicode)
R = TypeVar("R")


class Table(Generic[R]):
    """The rows of one table, with its indexes."""

    __slots__ = ("_indexes", "_rows", "schema")

    def __init__(self, schema: Schema[R], *, ordered: bool = True) -> None:
        """`ordered`: keep the rows of an ordered table in order; without it `prefix` reads all rows."""
        self.schema = schema
        self._rows: MutableMapping[Key, R] = SortedDict() if schema.ordered and ordered else {}
        self._indexes: dict[str, dict[Hashable, dict[Key, R]]] = {name: {} for name in schema.indexes}

    def get(self, key: Key) -> R | None:
        return self._rows.get(key)

    def by(self, index: str, value: Hashable) -> list[R]:
        found = self._indexes[index].get(value)
        return list(found.values()) if found else []

    def values_of(self, index: str) -> Iterable[Hashable]:
        return self._indexes[index].keys()

    def prefix(self, prefix: str) -> Iterator[R]:
        rows = self._rows
        if not isinstance(rows, SortedDict):
            return iter([rows[key] for key in sorted(key for key in rows if key.startswith(prefix))])  # type: ignore[union-attr]
        return map(rows.__getitem__, rows.irange(prefix, _end(prefix), inclusive=(True, False)))

    def keys(self, prefix: str) -> list[str]:
        rows = self._rows
        if not isinstance(rows, SortedDict):
            return sorted(key for key in rows if isinstance(key, str) and key.startswith(prefix))
        return list(rows.irange(prefix, _end(prefix), inclusive=(True, False)))

    def keys_from(self, prefix: str, start: str, most: int) -> list[str]:
        rows = self._rows
        if not isinstance(rows, SortedDict):
            return [key for key in self.keys(prefix) if key >= start][:most]
        return list(islice(rows.irange(max(prefix, start), _end(prefix), inclusive=(True, False)), most))

    def count(self, prefix: str) -> int:
        rows = self._rows
        if not isinstance(rows, SortedDict):
            return len(self.keys(prefix))
        end = _end(prefix)
        first: int = rows.bisect_left(prefix)
        last: int = len(rows) if end is None else rows.bisect_left(end)
        return last - first

    def __iter__(self) -> Iterator[R]:
        rows = self._rows
        # The values of a SortedDict come from a loop in Python.
        return map(rows.__getitem__, rows) if isinstance(rows, SortedDict) else iter(rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, row: R) -> None:
        """Add a row, or replace the one with the same primary key.  When it raises, nothing has changed."""
        self.put_at(self.schema.key(row), row)

    def put_at(self, key: Key, row: R) -> R | None:
        """As `put`, of a row whose primary key is known; return the row that it replaces."""
        if not self._indexes:
            old = self._rows.get(key)
            self._rows[key] = row
            return old
        entries = []
        for name, values in self.schema.indexes.items():
            found = values(row)
            if found != ():  # iterating raises for a value of a wrong type
                entries.append((self._indexes[name], dict.fromkeys(found)))
        old = self._rows.get(key)
        self._rows[key] = row
        if old is not None:
            self._unindex(key, old)
        for index, each in entries:
            for value in each:
                index.setdefault(value, {})[key] = row
        return old

    def fill(self, rows: Iterable[R]) -> None:
        """Add all rows of an empty table at once, much faster than one by one."""
        key = self.schema.key
        self._rows.update({key(row): row for row in rows})
        for name, values in self.schema.indexes.items():
            index = self._indexes[name]
            for primary, row in self._rows.items():
                for value in values(row):
                    index.setdefault(value, {})[primary] = row

    def remove(self, key: Key) -> R | None:
        """Remove the row of a primary key, if there is one, and return it."""
        old = self._rows.pop(key, None)
        if old is not None and self._indexes:
            self._unindex(key, old)
        return old

    def release(self) -> Steps[None]:
        """Empty a table that is no longer read, row by row."""
        for index in self._indexes.values():
            yield from empty(index)
        yield from empty(self._rows)

    def _unindex(self, key: Key, row: R) -> None:
        for name, values in self.schema.indexes.items():
            index = self._indexes[name]
            for value in values(row):
                found = index.get(value)
                if found is not None:
                    found.pop(key, None)
                    if not found:
                        del index[value]


def _end(prefix: str) -> str | None:
    """Return the first text after all that begin with a prefix; None when nothing comes after them."""
    prefix = prefix.rstrip(_LAST)
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else None


class Overlay(Generic[R]):
    """A table with pending rows: its content after they are installed."""

    __slots__ = ("_base", "_hidden", "_staged", "schema")

    def __init__(self, base: Rows[R], schema: Schema[R]) -> None:
        self.schema = schema
        self._base = base
        self._staged = Table(schema, ordered=False)  # few rows, seldom read by prefix
        self._hidden: set[Key] = set()  # keys whose row below is replaced or deleted

    def get(self, key: Key) -> R | None:
        if key in self._hidden:
            return self._staged.get(key)
        return self._base.get(key)

    def by(self, index: str, value: Hashable) -> list[R]:
        return [*self._visible(self._base.by(index, value)), *self._staged.by(index, value)]

    def values_of(self, index: str) -> Iterable[Hashable]:
        return {value for row in self for value in self.schema.indexes[index](row)}

    def prefix(self, prefix: str) -> Iterator[R]:
        # Lazily: a recursive delete goes through many rows, step by step.
        return merge(self._visible(self._base.prefix(prefix)), self._staged.prefix(prefix), key=self.schema.key)

    def keys(self, prefix: str) -> list[str]:
        return [str(self.schema.key(row)) for row in self.prefix(prefix)]

    def keys_from(self, prefix: str, start: str, most: int) -> list[str]:
        return [key for key in self.keys(prefix) if key >= start][:most]

    def count(self, prefix: str) -> int:
        return len(self.keys(prefix))

    def __iter__(self) -> Iterator[R]:
        yield from self._visible(self._base)
        yield from self._staged

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _visible(self, rows: Iterable[R]) -> Iterable[R]:
        key, hidden = self.schema.key, self._hidden
        return (row for row in rows if key(row) not in hidden)

    def put_at(self, key: Key, row: R) -> None:
        """Lay a row over the table; `key` is its primary key."""
        self._hidden.add(key)
        self._staged.put_at(key, row)

    def remove(self, key: Key) -> None:
        self._hidden.add(key)
        self._staged.remove(key)

    def restore(self, key: Key, pending: R | None, was_pending: bool) -> None:
        """Undo a change of a key: restore its pending row, or that it had none."""
        if pending is not None:
            self._staged.put(pending)
            return
        self._staged.remove(key)
        if not was_pending:
            self._hidden.discard(key)

    def release(self) -> Steps[None]:
        """Empty an overlay that is no longer read, row by row."""
        yield from self._staged.release()
        yield from empty(self._hidden)

    def pending(self, key: Key) -> tuple[R | None, bool]:
        """Return the pending row of a key, and whether the key has a pending change."""
        return self._staged.get(key), key in self._hidden
