"""The result of a read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

#: Keeps the rows that a filter selects.
Select: TypeAlias = Callable[[list[T]], list[T]]


class Result:
    """The rows of a read, and what a change of them depends on.

    value: anything msgspec encodes; bytes are sent as they are.
    index: the response's X-Consul-Index; a blocking query returns once it passes the caller's.
    topics, prefixes: their change may change the result (see `state.watches`); kept bytes and waiting clients depend on them.
    found: False when the thing itself does not exist, so that the response is a 404 without a body.
    cacheable: False where `index` depends on more than the topics.
    filtered: rows are hidden from the caller, and the response states that.
    """

    __slots__ = ("cacheable", "filtered", "found", "index", "prefixes", "topics", "value")

    def __init__(
        self,
        value: Any,
        index: int,
        topics: tuple[str, ...] = (),
        prefixes: tuple[str, ...] = (),
        *,
        found: bool = True,
        cacheable: bool = True,
        filtered: bool = False,
    ) -> None:
        self.value, self.index, self.topics, self.prefixes = value, index, topics, prefixes
        self.found, self.cacheable, self.filtered = found, cacheable, filtered

    def shown_as(self, value: Any) -> Result:
        """Return the result with another form of its rows."""
        self.value = value
        return self


def all_rows(rows: list[T]) -> list[T]:
    """Select every row."""
    return rows
