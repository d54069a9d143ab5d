"""Writes the network coordinates that gossip has measured into the catalog: of this server, and of the members it knows.

Consul's agents send their coordinates every 15 s, in pools of more than 960 members less often, so that servers write 64 a second.
A coordinate that has hardly moved is not written again (own choice): an idle pool writes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from functools import partial

from pyconsul.agent.duties.contract import Commit
from pyconsul.agent.duties.task_duty import TaskDuty
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.model.coordinate import DIMENSIONS, Coordinate, NodeCoordinate, is_valid
from pyconsul.agent.model.member import MemberStatus
from pyconsul.agent.state.catalog import coordinates
from pyconsul.agent.state.schemas import COORDINATES, NODES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

MIN_PERIOD_S = 15.0
MAX_RATE = 64.0  # coordinates a second
MAX_BATCH = 128  # rows of one commit
MIN_MOVE_S = 0.0005  # of any component
MIN_ERROR_CHANGE = 0.1

log = logging.getLogger("agent.catalog")


class CoordinateUpdates(TaskDuty):
    """The duty."""

    def __init__(self, lan: Membership, store: Store, commit: Commit) -> None:
        self._lan, self._store, self._commit = lan, store, commit

    async def run(self) -> None:
        while True:
            await asyncio.sleep(max(MIN_PERIOD_S, len(self._lan.members()) / MAX_RATE))
            await self.update()

    async def update(self) -> None:
        """Write the coordinates that have moved; errors are logged."""
        try:
            for rows in _batches(list(self._moved())):
                await self._commit(partial(_write, rows))
        except Exception as error:
            log.warning("cannot write network coordinates, retrying in %gs: %s", MIN_PERIOD_S, error)

    def _moved(self) -> Iterator[NodeCoordinate]:
        local = self._lan.local.name
        for member in self._lan.members():
            coordinate = self._lan.coordinate if member.name == local else self._lan.coordinate_of(member.name)
            if coordinate is None or member.status is not MemberStatus.ALIVE or not _is_usable(coordinate):
                continue
            node = self._store[NODES].get(member.name.lower())
            if node is None or node.id.lower() != member.tags.get("id", "").lower():
                continue
            row = NodeCoordinate(node.node, member.tags.get("segment", ""), coordinate)
            old = self._store[COORDINATES].get(COORDINATES.key(row))
            if old is None or has_moved(old.coord, coordinate):
                yield row


def _batches(rows: Sequence[NodeCoordinate]) -> Iterator[Sequence[NodeCoordinate]]:
    return (rows[start : start + MAX_BATCH] for start in range(0, len(rows), MAX_BATCH))


def has_moved(old: Coordinate, new: Coordinate) -> bool:
    """Return whether a coordinate differs so much that round trips estimated from it do."""
    if len(old.vec) != len(new.vec) or abs(old.error - new.error) > MIN_ERROR_CHANGE:
        return True
    before = (*old.vec, old.adjustment, old.height)
    after = (*new.vec, new.adjustment, new.height)
    return any(abs(one - other) > MIN_MOVE_S for one, other in zip(before, after, strict=True))


def _is_usable(coordinate: Coordinate) -> bool:
    return len(coordinate.vec) == DIMENSIONS and is_valid(coordinate)


def _write(rows: Sequence[NodeCoordinate], txn: WriteTxn) -> None:
    for row in rows:
        coordinates.set_coordinate(txn, row)
