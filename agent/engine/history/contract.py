"""The history of KV keys: the row of a key before each of its changes, and the versions that follow from it.

An engine keeps a `Change` for each commit that writes or deletes a key: when, and the row before it.  The row after it is the
`before` of the next change, or the current row.  So only what would be lost is kept, and pruning the oldest changes never makes
a later answer wrong.

Bounds of what is known:

    floor   changes after this index are kept, of all keys (except those beyond the number of versions of one key)
    since   of a key's oldest change: its `before` is valid from this index on; earlier changes were pruned
    epoch   the index at which the state was replaced (a snapshot); earlier rows are unrelated to the current ones
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from pyconsul.agent.model.kv import KVEntry

OVERHEAD_BYTES = 64  # of a change, without its key and previous row
PAGE_KEYS = 1000  # keys that are read at once


class Retention(NamedTuple):
    """Limits of the history: changes of one key, age of a change, size of all changes together.  Any 0: no history.

    Keys that begin with one of the prefixes of `exclude` have no history.
    """

    versions: int
    age_s: float
    size_bytes: int
    exclude: tuple[str, ...] = ()

    @property
    def on(self) -> bool:
        """Return whether a history is kept at all."""
        return bool(self.versions and self.age_s and self.size_bytes)


NO_HISTORY = Retention(0, 0.0, 0)


class Change(msgspec.Struct, frozen=True, gc=False):
    """A key was written or deleted at an index and a time (Unix seconds); `before`: its row until then, None for no row."""

    index: int
    time: float
    before: KVEntry | None
    since: int | None = None
    since_time: float | None = None


class KeyHistory(NamedTuple):
    """One key: its current row, and its changes, the oldest first."""

    key: str
    current: KVEntry | None
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class HistorySlice:
    """What an engine keeps of some keys, at `index`.

    pages: the keys in order, up to PAGE_KEYS at once, so that the event loop stays responsive; raises EngineError.
    close: frees what the pages are read from; call it in any case.
    exclude: prefixes of keys without a history.
    """

    index: int
    floor: int
    epoch: int
    pages: AsyncIterator[list[KeyHistory]]
    close: Callable[[], None]
    exclude: tuple[str, ...] = ()


class Version(msgspec.Struct, frozen=True, gc=False):
    """A key from an index on; `time` (Unix seconds) is None when it is not known, `entry` is None after a deletion."""

    key: str
    index: int
    time: float | None
    entry: KVEntry | None


class Pruned(Exception):
    """The rows of an index are no longer kept, or never were; the text names the first one that is kept."""


def newest_first(version: Version) -> tuple[int, str]:
    """Return the sort key of versions: the newest first, those of one index by key."""
    return -version.index, version.key


def versions_of(history: KeyHistory) -> Iterator[Version]:
    """Return every version of a key that is kept, the newest first."""
    after, time = history.current, None
    for change in reversed(history.changes):
        if after is not None or change.before is not None:
            yield Version(history.key, change.index, change.time, after)
        after, time = change.before, change.since_time
    if after is not None:
        yield Version(history.key, after.modify_index, time, after)


def check_kept(slice_: HistorySlice, index: int) -> None:
    """Raises Pruned when a tree can not be read as it was once `index` was written."""
    if index < slice_.floor:
        raise Pruned(f"index {index} is older than what is kept: the history begins at index {slice_.floor}")


def rows_at(slice_: HistorySlice, page: Sequence[KeyHistory], index: int, *, tree: bool) -> list[KVEntry]:
    """Return the rows of a page as they were once `index` was written; `tree`: the slice has all keys of a prefix.

    Keys without a history are as they are now.  Raises Pruned, for a single key without a history, too.
    """
    found = (_row_at(slice_, history, index, tree=tree) for history in page)
    return [row for row in found if row is not None]


def _row_at(slice_: HistorySlice, history: KeyHistory, index: int, *, tree: bool) -> KVEntry | None:
    key, current = history.key, history.current
    if key.startswith(slice_.exclude):
        if not tree and (current is None or current.modify_index > index):
            raise Pruned(f'no history is kept of key "{key}": it begins with a prefix of kv_history_exclude')
        return current
    later = next((change for change in history.changes if change.index > index), None)
    row = current if later is None else later.before
    known_from = slice_.floor if later is None or later.since is None else later.since
    if row is not None and (index >= slice_.epoch or index == row.modify_index):
        known_from = min(known_from, row.modify_index)  # a row has been the same since its own index
    if index < known_from:
        raise Pruned(f'index {index} is older than what is kept of key "{key}": that begins at index {known_from}')
    return row
