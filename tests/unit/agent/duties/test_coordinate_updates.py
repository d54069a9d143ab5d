"""Coordinates that gossip has measured come into the catalog, and only those that have moved are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from support.scripted_pool import FAILED, ScriptedPool, client, server

from pyconsul.agent.duties.coordinate_updates import MAX_BATCH, CoordinateUpdates, has_moved
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.memory import MemoryEngine
from pyconsul.agent.engine.writer import Writer
from pyconsul.agent.model.coordinate import ORIGIN, Coordinate
from pyconsul.agent.model.node import Node
from pyconsul.agent.state.schemas import COORDINATES, NODES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn


def point(first: float, **fields: float) -> Coordinate:
    return replace(ORIGIN, vec=[first, *ORIGIN.vec[1:]], **fields)


class Server:
    """A catalog with the nodes of a pool."""

    def __init__(self, *names: str) -> None:
        self.pool = ScriptedPool(server("s1"), *(client(name) for name in names))
        rows = [Node(f"id-{name}", name, "10.0.0.1", "dc1", None, None, 1, 1) for name in ("s1", *names)]
        self.store = Store([(NODES.name, row) for row in rows])
        self.writer = Writer(self.store, MemoryEngine())
        self.commits = 0
        self.duty = CoordinateUpdates(self.pool, self.store, self.commit)

    async def commit(self, operation: Callable[[WriteTxn], Any]) -> Any:
        self.commits += 1
        return await self.writer.commit(operation)

    def rows(self) -> dict[str, Coordinate]:
        return {row.node: row.coord for row in self.store[COORDINATES]}


async def test_coordinates_of_this_server_and_of_known_members_are_written() -> None:
    one = Server("c1", "c2")
    one.pool.coordinates = {"s1": point(0.1), "c1": point(0.2)}
    await one.duty.update()
    assert one.rows() == {"s1": point(0.1), "c1": point(0.2)}
    assert one.commits == 1


async def test_a_coordinate_that_hardly_moved_is_not_written_again() -> None:
    one = Server("c1")
    one.pool.coordinates = {"c1": point(0.2)}
    await one.duty.update()
    one.pool.coordinates = {"c1": point(0.20001)}
    await one.duty.update()
    assert one.commits == 1
    one.pool.coordinates = {"c1": point(0.21)}
    await one.duty.update()
    assert (one.commits, one.rows()["c1"]) == (2, point(0.21))


@pytest.mark.parametrize("bad", [replace(ORIGIN, vec=[0.0]), replace(ORIGIN, vec=[float("nan")] * 8)])
async def test_invalid_coordinates_are_not_written(bad: Coordinate) -> None:
    one = Server("c1")
    one.pool.coordinates = {"c1": bad}
    await one.duty.update()
    assert set(one.rows()) == {"s1"}


async def test_members_that_are_gone_or_whose_node_is_another_ones_are_left_out() -> None:
    one = Server("gone", "other")
    one.pool.known["gone"] = client("gone", status=FAILED)
    one.pool.known["other"] = client("other", "another-id")
    one.pool.coordinates = {name: point(0.2) for name in ("gone", "other")}
    await one.duty.update()
    assert set(one.rows()) == {"s1"}


async def test_many_coordinates_are_written_in_batches() -> None:
    names = [f"c{number}" for number in range(MAX_BATCH)]
    one = Server(*names)
    one.pool.coordinates = dict.fromkeys(names, point(0.2))
    await one.duty.update()
    assert (one.commits, len(one.rows())) == (2, MAX_BATCH + 1)


async def test_a_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    one = Server()

    async def fail(operation: Callable[[WriteTxn], Any]) -> Any:
        raise EngineError("no room")

    await CoordinateUpdates(one.pool, one.store, fail).update()
    assert "cannot write network coordinates, retrying in 15s: no room" in caplog.text


@pytest.mark.parametrize(
    ("new", "does"),
    [
        (point(0.0), False),
        (point(0.01), True),
        (point(0.0, height=0.01), True),
        (point(0.0, adjustment=-0.01), True),
        (point(0.0, error=1.45), False),
        (point(0.0, error=1.0), True),
        (replace(ORIGIN, vec=[0.0]), True),
    ],
)
def test_moves_of_a_coordinate(new: Coordinate, does: bool) -> None:
    assert has_moved(ORIGIN, new) is does
