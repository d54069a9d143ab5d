"""Prune the history to its limits; only the keys of its rows are read.

Changes that are too old, or together too large, are dropped in order of their index; the row `P/E/history-floor` holds the last
dropped index, and is written first.  Changes beyond the number of versions of a key are dropped in a transaction that also
records, in the oldest remaining change, since when its value is valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from aetcd import rpc
from msgspec.structs import replace

from pyconsul.agent.engine.etcd import transaction
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.history.changes import Mark, read_change, read_mark, row_value
from pyconsul.agent.engine.etcd.layout import Layout, end_of
from pyconsul.agent.engine.etcd.pages import pages
from pyconsul.agent.engine.history.contract import Retention

_KEYS = 30  # that are pruned in one transaction


class Stored(NamedTuple):
    """A row of the history, and the revision at which it was written."""

    mark: Mark
    revision: int


class Beyond(NamedTuple):
    """The changes of one key to drop: the first ones; `kept`: the oldest that stays, None for none."""

    dropped: Sequence[Stored]
    kept: Stored | None


async def prune(client: Client, layout: Layout, kept: Retention, now: float) -> None:
    """Prune the history to its limits at `now` (Unix seconds).  Raises EngineError."""
    response = await client.read(rpc.TxnRequest(success=[transaction.get(layout.history_floor)]))
    floor, floor_revision = transaction.value_of(response, 0)
    stored: list[Stored] = []
    async for page in pages(client, layout.history, end_of(layout.history), response.header.revision, keys_only=True):
        stored += [Stored(read_mark(layout, found.key), found.mod_revision) for found in page]
    dropped_up_to = new_floor((one.mark for one in stored), kept, now)
    if dropped_up_to > int(floor or 0):
        written = rpc.TxnRequest(
            compare=[transaction.unchanged(layout.history_floor, floor_revision)],
            success=[transaction.put(layout.history_floor, b"%d" % dropped_up_to)],
        )
        await client.write(written)
    beyond = find_beyond(stored, kept.versions, dropped_up_to)
    for start in range(0, len(beyond), _KEYS):
        await _drop(client, beyond[start : start + _KEYS], dropped_up_to)


def new_floor(marks: Iterable[Mark], kept: Retention, now: float) -> int:
    """Return the index up to which changes are dropped since they are too old, or all together too large; 0 for none."""
    in_order = sorted(marks, key=lambda mark: mark.index)
    size, floor = sum(mark.size for mark in in_order), 0
    enough = kept.size_bytes - kept.size_bytes // 16 if size > kept.size_bytes else kept.size_bytes
    for mark in in_order:
        if size <= enough and mark.time >= now - kept.age_s:
            break
        size -= mark.size
        floor = mark.index
    return floor


def find_beyond(stored: Sequence[Stored], versions: int, floor: int) -> list[Beyond]:
    """Return the changes to drop, by key; `stored` is in order of keys and indexes."""
    found = []
    for _, rows in groupby(stored, key=lambda one: one.mark.key):
        of_key = list(rows)
        old = sum(one.mark.index <= floor for one in of_key)
        dropped = max(old, len(of_key) - versions)
        if dropped > 0:
            found.append(Beyond(of_key[:dropped], of_key[dropped] if dropped < len(of_key) else None))
    return found


async def _drop(client: Client, beyond: Sequence[Beyond], floor: int) -> None:
    """Drop changes of some keys; one that was written again meanwhile, or purged, is left for the next time."""
    since = [one for one in beyond if one.kept is not None and one.dropped[-1].mark.index > floor]
    values = {}
    if since:
        reads = [transaction.get(one.kept.mark.row) for one in since if one.kept is not None]
        response = await client.read(rpc.TxnRequest(success=reads))
        values = {one.kept: transaction.value_of(response, number)[0] for number, one in enumerate(since)}
    conditions, operations = [], []
    for one in beyond:
        first, last = one.dropped[0].mark, one.dropped[-1].mark
        operations.append(transaction.delete(first.row, last.row + b"\0"))
        if one.kept is not None and one.kept in values:
            conditions.append(transaction.unchanged(one.kept.mark.row, one.kept.revision))
            operations.append(transaction.put(one.kept.mark.row, _with_since(one.kept.mark, values[one.kept], last)))
    await client.write(rpc.TxnRequest(compare=conditions, success=operations))


def _with_since(mark: Mark, value: bytes, last: Mark) -> bytes:
    if not value:
        return value  # it is gone, so that the condition does not hold
    return row_value(replace(read_change(mark, value), since=last.index, since_time=last.time))
