"""What an engine is: it makes changesets durable, in order.

Nothing above may know which engine is there.  One test suite runs against all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pyconsul.agent.engine.history.contract import Kept
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Unavailable


class EngineError(Unavailable):
    """The engine could not make a changeset durable; nothing of it was kept.  The text says why, for an operator."""


class OutcomeUnknown(EngineError):
    """The engine does not answer: the changeset may be kept or not, and may still take effect."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What an engine held when it was opened.

    rows: (table name, row) of each row.  index: that of the last commit.  named: the named indexes that were kept;
    floor: where all others stand.
    """

    rows: Iterable[tuple[str, Any]]
    index: int
    named: Mapping[str, int] = field(default_factory=dict)
    floor: int = 0


class Engine(Protocol):
    """A place where changesets last."""

    def load(self) -> Loaded:
        """Open, and read everything.  Raises EngineError with instructions when that is not safe."""

    async def commit(self, changesets: Sequence[Changeset]) -> int:
        """Make changesets durable, all or none, and return the index of the last.

        Each carries the index it proposes; they follow the last commit without a gap.
        Raises EngineError when they could not be kept; the engine can be used again.
        """

    async def replace(self, rows: Iterable[tuple[str, Any]], index: int) -> None:
        """Put other rows in place of everything, all or nothing (a snapshot is restored)."""

    async def kv_history(self, key: str, *, tree: bool = False, after: int | None = None) -> Kept | None:
        """What was kept of a key's changes or, for a tree, of those of every key that begins with `key`.

        With `after` of each key only the first change behind that index.  It is at least as new as the last commit that
        was acknowledged, survives what the rows survive, and begins anew when they are replaced.  None: nothing is kept.
        """

    async def close(self) -> None:
        """Finish what was begun, and close."""
