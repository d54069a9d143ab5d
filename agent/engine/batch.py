"""Runs the operations of one commit in one write transaction, within the engine's limits."""

from __future__ import annotations

from pyconsul.agent.engine.contract import NO_LIMITS, Limits
from pyconsul.agent.engine.work import Done, Operation, Result
from pyconsul.agent.state import codec
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

MAX_OPERATIONS = 256  # limits the wait for the others
MAX_ROWS = 1024  # computing and installing them blocks the event loop


class Batch:
    """The results of some operations, and the changesets that they propose, without a gap after the store's index."""

    def __init__(self, store: Store, limits: Limits, now: float) -> None:
        self._txn, self._limits, self._now = WriteTxn(store), limits, now
        self._next_index = store.index + 1
        self._rows = self._size_bytes = 0
        self.results: list[Result] = []
        self.changesets: list[Changeset] = []

    @property
    def is_full(self) -> bool:
        if self.changesets and self.changesets[-1].purged:
            return True  # no purged key is written again in the same commit
        return len(self.results) >= MAX_OPERATIONS or self._rows >= MAX_ROWS

    def add(self, operation: Operation[object], done: Done) -> bool:
        """Run an operation; False, without a trace of it, when what it writes fits into the next commit only."""
        txn = self._txn
        txn.begin(self._next_index, self._now)
        value, failure, changeset = None, None, None
        try:
            value = operation(txn)
            changeset = txn.finish() or None
            if changeset is not None:
                codec.store_rows(changeset)
                if not self._has_room(changeset):
                    txn.roll_back()
                    return False
        except BaseException as error:
            txn.roll_back()
            value, failure, changeset = None, error, None
        if changeset is not None:
            self.changesets.append(changeset)
            self._next_index += 1
            self._rows += len(changeset.writes)
        self.results.append((done, value, failure, changeset))
        return True

    def _has_room(self, changeset: Changeset) -> bool:
        """Raises Refused for a changeset that no commit has room for."""
        if self._limits is NO_LIMITS:
            return True
        check_size(changeset, self._limits)
        rows, size_bytes = size_of(changeset)
        fits = self._rows + rows <= self._limits.rows and self._size_bytes + size_bytes <= self._limits.size_bytes
        if not fits and not (self._limits.takes_larger and not self.changesets):
            return False
        self._rows += rows - len(changeset.writes)
        self._size_bytes += size_bytes
        return True


def size_of(changeset: Changeset) -> tuple[int, int]:
    """Return how many rows a changeset writes, named indexes and history included, and the bytes of its keys and rows."""
    stored = changeset.stored or []
    rows = len(stored) + len(changeset.indexes) + len(changeset.history)
    size_bytes = sum(len(table) + len(key) + len(row or b"") for table, key, row in stored)
    size_bytes += sum(map(len, changeset.indexes))
    for key, before in changeset.history.items():
        size_bytes += len(key) + (0 if before is None else len(before.key) + len(before.value or b""))
    return rows, size_bytes


def check_size(changeset: Changeset, limits: Limits) -> None:
    """Raises Refused for a changeset that is larger than one commit may be."""
    if limits is NO_LIMITS or limits.takes_larger:
        return  # a large changeset is not counted
    rows, size_bytes = size_of(changeset)
    if rows > limits.rows or size_bytes > limits.size_bytes:
        raise Refused(
            f"the write has {rows} rows and {size_bytes} bytes; one commit may have {limits.rows} rows and"
            f" {limits.size_bytes} bytes: split it"
        )
