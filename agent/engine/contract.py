"""The contract of an engine: it makes changesets durable, in order.

Nothing above an engine knows which one it is.  One test suite runs against all of them.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from pyconsul.agent.engine.history.contract import HistorySlice, Retention
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Unavailable

NO_LEADER = "No cluster leader"  # text of the error that Consul's clients know


class EngineError(Unavailable):
    """The engine could not do it; nothing of the commit was kept.  The text says why, for an operator."""


#: Called once: with None when the state has every write that was acknowledged before, or with the reason why it may lack some.
Passed: TypeAlias = Callable[[EngineError | None], None]


class OutcomeUnknown(EngineError):
    """The engine does not answer: the commit may be kept or not, and may still take effect.

    commit_id: what `Engine.took_effect` finds out about it; 0 when there is nothing to ask for.
    """

    def __init__(self, reason: str, commit_id: int = 0) -> None:
        super().__init__(reason)
        self.commit_id = commit_id


class Conflict(EngineError):
    """Another server has committed since, up to `index`: install its changes, then run the operations again."""

    def __init__(self, index: int) -> None:
        super().__init__(f"another server has written up to index {index}")
        self.index = index


class Compacted(EngineError):
    """The changesets after an index are no longer kept, or the state was replaced: load again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest commit: stored rows and named indexes together, and bytes of their keys and rows.

    takes_larger: a larger changeset is accepted and committed alone.
    """

    rows: int = sys.maxsize
    size_bytes: int = sys.maxsize
    takes_larger: bool = False


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Loaded:
    """The state that an engine holds.

    rows: (table name, row) of each row, those of `schemas.INDEXES` included.  index: that of the last commit, 0 for none.
    """

    rows: Iterable[tuple[str, Any]]
    index: int


class Engine(Protocol):
    """A place where changesets last."""

    @property
    def limits(self) -> Limits:
        """The largest commit."""

    async def load(self) -> Loaded:
        """Open the place, or read it again, and return everything.

        Raises EngineError with instructions when that is not safe.
        """

    async def commit(self, batch: Sequence[Changeset]) -> int:
        """Make changesets durable, all or none, and return the index of the last.

        Each carries the index it proposes; they follow the last commit without a gap.  Raises Conflict when another server
        has committed meanwhile, OutcomeUnknown, or EngineError when nothing was kept; the engine can be used again.
        """

    async def took_effect(self, commit_id: int) -> bool:
        """Return whether a commit with an unknown outcome took effect; after False it never will.

        Raises EngineError while that cannot be found out.
        """

    async def barrier(self) -> int:
        """Return an index that every write acknowledged before this call has reached.  Raises EngineError."""

    def watch(self, after: int) -> AsyncIterator[Changeset]:
        """Return the changesets after an index, at least those of other servers, in order and without a gap; never ends.

        Raises Compacted, or EngineError when the engine cannot be reached.
        """

    async def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        """Replace all rows and named indexes, all or nothing (a snapshot is restored).

        `index` is higher than that of the last commit.  Raises as `commit` does.
        """

    async def history(self, key: str, *, tree: bool = False, after: int | None = None) -> HistorySlice | None:
        """Return what is kept of a key's changes or, for a tree, of those of every key that begins with `key`.

        With `after`, of each key only the first change behind that index.  It is at least as new as the last commit that
        was acknowledged, as durable as the rows, and starts over when they are replaced.  None: no history is kept.
        """

    async def retain(self, retention: Retention, now: float) -> None:
        """Use other limits of the history from now on, and drop what is beyond them at `now` (Unix seconds).

        A history that was off begins with the last commit; for keys that were excluded, it begins there as well.
        Raises EngineError; then the earlier limits stay.
        """

    async def close(self) -> None:
        """Finish what was begun, and close."""


class MovableEngine(Engine, Protocol):
    """The engine of a single server, whose state can move to a cluster."""

    @property
    def path(self) -> Path:
        """The file of the state; it is missing until the first start."""

    @property
    def moved_to(self) -> str:
        """The ID of the cluster that holds the state since it has moved; "" for none."""

    async def copy(self) -> Loaded:
        """Return all rows as they are on disk now, while commits go on.  Raises EngineError."""

    async def mark_moved(self, cluster_id: str) -> None:
        """Record durably that a cluster holds the state from now on; `load` refuses it then.  Raises EngineError."""
