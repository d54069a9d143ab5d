"""The history of keys: what a key was before each of its changes, and what can be told from that.

An engine keeps a `Change` for each commit that writes or deletes a key: when, and the row that was there before.  What was
there after it is the next change's `before`, or the row of today.  So only what would be lost is kept, and dropping the
oldest changes never makes a later answer wrong.

Bounds, so that no answer is a guess:

    floor   the changes of all keys are kept from behind this index on (but for those a key has too many of)
    since   of a key's oldest change: its `before` is what there was from this index on; earlier changes were dropped
    epoch   the index at which another state was put in place (a snapshot): what was before is no past of today's rows
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from pyconsul.agent.model.kv import KVEntry

OVERHEAD = 64  # bytes that a change is counted as, beside its key and the row before it


class Retention(NamedTuple):
    """Limits of the history: changes of one key, seconds since a change, bytes of all changes together.  Any 0: no history.

    Keys that begin with one of the prefixes of `exclude` have no history.
    """

    versions: int
    age: float
    size: int
    exclude: tuple[str, ...] = ()

    @property
    def on(self) -> bool:
        """Whether a history is kept at all."""
        return bool(self.versions and self.age and self.size)


NOTHING = Retention(0, 0.0, 0)


class Change(msgspec.Struct, frozen=True, gc=False):
    """A key was written or deleted at an index and a time (Unix seconds); `before` was there until then, None: nothing."""

    index: int
    time: float
    before: KVEntry | None
    since: int | None = None
    since_time: float | None = None


class Past(NamedTuple):
    """What is known of one key: its row of today, and its changes, the oldest first."""

    current: KVEntry | None
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Kept:
    """What an engine kept of some keys, at `index`."""

    index: int
    floor: int
    epoch: int
    keys: MutableMapping[str, Past]
    exclude: tuple[str, ...] = ()  # prefixes of keys without a history


class Version(msgspec.Struct, frozen=True, gc=False):
    """A key from an index on; `time` (Unix seconds) is None when it is not known, `entry` is None after a deletion."""

    key: str
    index: int
    time: float | None
    entry: KVEntry | None


class OutOfReach(Exception):
    """What was at an index is not kept any more, or never was; the text says from where on it is."""


def versions(kept: Kept) -> list[Version]:
    """Every version that is kept, the newest first."""
    found = [version for key, past in kept.keys.items() for version in _versions(key, past)]
    found.sort(key=lambda version: version.key)
    found.sort(key=lambda version: version.index, reverse=True)
    return found


def _versions(key: str, past: Past) -> Iterator[Version]:
    after, time = past.current, None
    for change in reversed(past.changes):
        if after is not None or change.before is not None:
            yield Version(key, change.index, change.time, after)
        after, time = change.before, change.since_time
    if after is not None:
        yield Version(key, after.modify_index, time, after)


def at(kept: Kept, index: int, *, tree: bool) -> list[KVEntry]:
    """The rows as they were once `index` was written, sorted by key; `tree`: the keys are all of a prefix.

    Keys without a history are as they are now.  Raises OutOfReach, for a single key without a history, too.
    """
    if tree and index < kept.floor:
        raise OutOfReach(f"index {index} is older than what is kept: the history begins at index {kept.floor}")
    found = (_row_at(kept, key, past, index, tree=tree) for key, past in sorted(kept.keys.items()))
    return [row for row in found if row is not None]


def _row_at(kept: Kept, key: str, past: Past, index: int, *, tree: bool) -> KVEntry | None:
    if key.startswith(kept.exclude):
        if not tree and (past.current is None or past.current.modify_index > index):
            raise OutOfReach(f'no history is kept of key "{key}": it begins with a prefix of kv_history_exclude')
        return past.current
    later = next((change for change in past.changes if change.index > index), None)
    row = past.current if later is None else later.before
    known_from = kept.floor if later is None or later.since is None else later.since
    if row is not None and (index >= kept.epoch or index == row.modify_index):
        known_from = min(known_from, row.modify_index)  # a row says itself since when it is what it is
    if index < known_from:
        raise OutOfReach(f'index {index} is older than what is kept of key "{key}": that begins at index {known_from}')
    return row
