"""The contract of the state: definitions of tables, reading them, and errors of writes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Generic, Protocol, TypeAlias, TypeVar

R = TypeVar("R")
Key: TypeAlias = str | tuple[str, ...]


class Refused(Exception):
    """A rejected write; the text is Consul's."""


class Unavailable(Exception):
    """No write is possible at the moment; the text gives the reason, for an operator."""


class Schema(Generic[R]):
    """The definition of a table.

    key: returns a row's primary key.  composite: that key has several parts.
    indexes: secondary indexes; each maps a row to the values that it is found by.
    topics: maps a row to the watch topics that are published when it is put, replaced or deleted; a replacement
    publishes those of the old row and of the new one.  topics_by_key: they depend on the key alone, so they are the same.
    ordered: the table can be read by prefix of its text keys.  in_snapshots: its rows are part of a snapshot.
    """

    __slots__ = (
        "composite",
        "in_snapshots",
        "indexes",
        "key",
        "name",
        "ordered",
        "row_type",
        "topics",
        "topics_by_key",
    )

    def __init__(
        self,
        name: str,
        row_type: type[R],
        key: Callable[[R], Key],
        indexes: Mapping[str, Callable[[R], Iterable[Hashable]]] | None = None,
        ordered: bool = False,
        in_snapshots: bool = True,
        topics: Callable[[R], Iterable[str]] | None = None,
        topics_by_key: bool = False,
        composite: bool = False,
    ) -> None:
        self.name, self.row_type, self.key, self.ordered = name, row_type, key, ordered
        self.in_snapshots, self.topics, self.topics_by_key = in_snapshots, topics, topics_by_key
        self.composite = composite
        self.indexes = dict(indexes or {})


class Rows(Protocol[R]):
    """A table as a reader sees it, with or without pending rows over it."""

    def get(self, key: Key) -> R | None:
        """Return the row of a primary key."""

    def by(self, index: str, value: Hashable) -> list[R]:
        """Return the rows that a secondary index finds by a value, in no particular order."""

    def values_of(self, index: str) -> Iterable[Hashable]:
        """Return the values by which a secondary index finds at least one row."""

    def prefix(self, prefix: str) -> Iterator[R]:
        """Return the rows whose text key begins with a prefix, in order of their keys; ordered tables only."""

    def keys(self, prefix: str) -> list[str]:
        """Return the text keys that begin with a prefix, in order; ordered tables only."""

    def keys_from(self, prefix: str, start: str, most: int) -> list[str]:
        """Return the first `most` of the text keys that begin with a prefix and are not less than `start`."""

    def count(self, prefix: str) -> int:
        """Return how many text keys begin with a prefix."""

    def __iter__(self) -> Iterator[R]: ...

    def __len__(self) -> int: ...


class View(Protocol):
    """The state as a reader sees it: tables by schema, and the index at which something last changed."""

    @property
    def index(self) -> int:
        """Return the index of the last change of all."""

    @property
    def restored(self) -> int:
        """Return the index at which another state last took the place of this one; 0 for never."""

    def __getitem__(self, schema: Schema[R]) -> Rows[R]:
        """Return a table."""

    def index_of(self, *names: str) -> int:
        """Return the highest of some named indexes; at least 1."""

    def last_index(self, name: str) -> int | None:
        """Return a named index, or None when it is not known."""
