"""A cache that is bounded by the memory its values take."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class BudgetCache(Generic[V]):
    """The values used last, as many as fit a number of bytes; the caller says what each costs."""

    def __init__(self, limit: int) -> None:
        self._limit, self.size = limit, 0
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """Return a kept value, and mark it as the most recently used."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: V, cost: int) -> None:
        """Keep a value, unless it exceeds a quarter of the budget; drop the least recently used ones."""
        if cost > self._limit // 4:
            return
        if key in self._values:
            self.size -= self._values.pop(key)[1]
        self._values[key] = value, cost
        self.size += cost
        while self.size > self._limit:
            self.size -= self._values.popitem(last=False)[1][1]

    def __len__(self) -> int:
        return len(self._values)
