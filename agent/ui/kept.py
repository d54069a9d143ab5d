"""Results that pages use again for a short time, so that many viewers cost one request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

MAX_KEPT = 500
T = TypeVar("T")


class Kept:
    """Results by what was asked, and who asked."""

    def __init__(self) -> None:
        self._shared: dict[Hashable, tuple[float, asyncio.Future[Any]]] = {}
        self._latest: dict[Hashable, tuple[Hashable, Any]] = {}

    async def shared(self, key: Hashable, for_s: float, make: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `make`, or that of a call in the last `for_s` seconds, even if it is under way."""
        now = asyncio.get_running_loop().time()
        entry = self._shared.get(key)
        if entry is None or entry[0] <= now:
            if len(self._shared) >= MAX_KEPT:
                self._shared = {key: one for key, one in self._shared.items() if one[0] > now}
            entry = self._shared[key] = (now + for_s, asyncio.ensure_future(make()))
        # Shielded: a viewer who goes away must not take the result from the others.
        result: T = await asyncio.shield(entry[1])
        return result

    def latest(self, name: Hashable, version: Hashable, make: Callable[[T | None], T]) -> T:
        """Return what was made for a version of what it is made of.  make: gets the result of the version before, if any."""
        before = self._latest.pop(name, None)
        if before is None or before[0] != version:
            before = (version, make(before[1] if before is not None else None))
            if len(self._latest) >= MAX_KEPT // 10:
                self._latest.pop(next(iter(self._latest)))
        self._latest[name] = before
        result: T = before[1]
        return result
