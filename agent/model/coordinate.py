"""A network coordinate of a node, from which round trips are estimated.

https://developer.hashicorp.com/consul/api-docs/coordinate; the mathematics are Vivaldi's with heights
(https://www.cs.ucsb.edu/~ravenben/classes/276/papers/vivaldi-sigcomm04.pdf) and Serf's adjustment.
"""

from __future__ import annotations

import math

import msgspec

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.model.wire import camel

DIMENSIONS = 8


class Coordinate(msgspec.Struct, frozen=True, rename=camel):
    """A point.  `vec`, `adjustment` and `height` are in seconds, `error` is a share without a unit."""

    vec: list[float]
    error: float
    adjustment: float
    height: float


#: Where every node stands until it has been measured.
ORIGIN = Coordinate([0.0] * DIMENSIONS, 1.5, 0.0, 10.0e-6)


class NodeCoordinate(msgspec.Struct, frozen=True, rename=camel):
    """One row of the catalog's coordinates: a node's, in a network segment."""

    node: str
    segment: str
    coord: Coordinate


def is_valid(coordinate: Coordinate) -> bool:
    """Return whether every component is a finite number."""
    parts = (*coordinate.vec, coordinate.error, coordinate.adjustment, coordinate.height)
    return all(math.isfinite(part) for part in parts)


def distance(one: Coordinate | None, other: Coordinate | None) -> float:
    """Return the estimated round trip between two points in nanoseconds, whole ones; infinite when it is not known."""
    if one is None or other is None or len(one.vec) != len(other.vec):
        return math.inf
    raw = math.dist(one.vec, other.vec) + one.height + other.height
    adjusted = raw + one.adjustment + other.adjustment
    seconds = adjusted if adjusted > 0.0 else raw
    return float(int(seconds * SECOND_NS)) if math.isfinite(seconds) else math.inf
