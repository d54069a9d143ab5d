"""Network coordinates of the nodes: reads, writes, and the order of nodes by their distance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pyconsul.agent.model.coordinate import Coordinate, NodeCoordinate, distance
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import COORDINATES, NODES
from pyconsul.agent.state.write_txn import WriteTxn

TOPIC = "coordinates"
T = TypeVar("T")


def all_coordinates(view: View) -> list[NodeCoordinate]:
    """Return every node's coordinates, by name and segment."""
    return sorted(view[COORDINATES], key=COORDINATES.key)


def of_node(view: View, node: str) -> list[NodeCoordinate]:
    """Return a node's coordinates, by segment."""
    return sorted(view[COORDINATES].by("node", node.lower()), key=COORDINATES.key)


def set_coordinate(txn: WriteTxn, given: NodeCoordinate) -> None:
    """Set the coordinate of a node; an unregistered node is ignored."""
    node = txn[NODES].get(given.node.lower())
    if node is None:
        return
    row = NodeCoordinate(node.node, given.segment, given.coord)
    if txn[COORDINATES].get(COORDINATES.key(row)) != row:
        txn.put(COORDINATES, row)
        txn.raise_index(TOPIC)


def delete_node(txn: WriteTxn, node: str) -> None:
    """Remove the coordinates of a node."""
    for row in txn[COORDINATES].by("node", node.lower()):
        txn.delete(COORDINATES, COORDINATES.key(row))
        txn.raise_index(TOPIC)


def by_distance(view: View, near: str, rows: Sequence[T], node_of: Callable[[T], str]) -> list[T]:
    """Sort rows by the estimated round trip from a node, stably; those without a coordinate come last.

    Without a coordinate of the node itself the order does not change.
    """
    here = _by_segment(view, near)
    if not here:
        return list(rows)
    distances: dict[str, float] = {}
    for name in {node_of(row) for row in rows}:
        distances[name] = _between(here, _by_segment(view, name))
    return sorted(rows, key=lambda row: distances[node_of(row)])


def _by_segment(view: View, node: str) -> Mapping[str, Coordinate]:
    return {row.segment: row.coord for row in view[COORDINATES].by("node", node.lower())}


def _between(one: Mapping[str, Coordinate], other: Mapping[str, Coordinate]) -> float:
    """Return the distance in a common segment: a node in one segment only is a client; a server is in all of them."""
    segment = ""
    for points in (one, other):
        if len(points) == 1:
            segment = next(iter(points))
    return distance(one.get(segment), other.get(segment))
