"""Round trips from one node to the others, estimated from coordinates, and the plot of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyconsul.agent.model.coordinate import Coordinate, NodeCoordinate, distance

LABELS = 6  # nearest nodes that the plot names
PLOTTED = 300  # nearest nodes that the plot shows
SIZE, EDGE = 400, 170  # of the plot, and from its center to the outermost node, in its own units
LABEL_CHARACTERS, LABEL_OFFSET, CHARACTER, LINE = 24, 7, 7, 12  # of labels: cut to, from the dot, width, height
RINGS = (1, 2, 5)  # times a power of ten: round numbers for the rings of the plot


@dataclass(frozen=True, slots=True)
class Distance:
    """The estimated round trip to a node.  share: of the longest one shown."""

    node: str
    milliseconds: float
    text: str
    share: float


@dataclass(frozen=True, slots=True)
class Dot:
    """A node of the plot.  x, y: from the center; label: "" for those that are not named; anchor: of the label."""

    node: str
    x: float
    y: float
    title: str
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle of the plot with all places that are equally far away."""

    radius: float
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: the node in the center, the others at the distance of their round trips."""

    rings: tuple[Ring, ...]
    dots: tuple[Dot, ...]
    size: int = SIZE


def distances(own: Coordinate, others: Iterable[NodeCoordinate]) -> list[Distance]:
    """Return the estimated round trips to other nodes, the nearest first."""
    found = sorted((distance(own, one.coord) / 1e6, one.node) for one in others)
    known = [(milliseconds, node) for milliseconds, node in found if math.isfinite(milliseconds)]
    longest = known[-1][0] if known else 0.0
    return [
        Distance(node, milliseconds, round_trip(milliseconds), milliseconds / longest if longest else 0.0)
        for milliseconds, node in known
    ]


def round_trip(milliseconds: float) -> str:
    """Return a round trip with three digits: `0.412 ms`, `41.2 ms`."""
    digits = 3 if milliseconds < 1 else 2 if milliseconds < 10 else 1 if milliseconds < 100 else 0
    return f"{milliseconds:,.{digits}f} ms"


def plot(own: Coordinate, others: Sequence[NodeCoordinate], found: Sequence[Distance]) -> Plot | None:
    """Return the plot of the nearest nodes; None for none.

    The distance from the center is the round trip; the direction shows which nodes are near each other: it is that of the two
    components of the coordinates that differ most.
    """
    shown = found[:PLOTTED]
    if not shown or not shown[-1].milliseconds:
        return None
    vectors = {one.node: [there - here for here, there in zip(own.vec, one.coord.vec, strict=True)] for one in others}
    first, second = _widest(list(vectors.values()), len(own.vec))
    longest = shown[-1].milliseconds
    dots: list[Dot] = []
    named: list[tuple[float, float, float]] = []
    for number, one in enumerate(shown):
        vector = vectors[one.node]
        across, up = vector[first], vector[second]
        # A node without a direction is put at an angle of its number, so that dots do not cover each other.
        angle = math.atan2(up, across) if across or up else number * 2.4
        radius = EDGE * one.milliseconds / longest
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        anchor = "start" if x < 0.35 * EDGE else "end"
        label = one.node if len(named) < LABELS and _fits(named, x, y, one.node, anchor) else ""
        dots.append(Dot(one.node, round(x, 1), round(y, 1), f"{one.node}: {one.text}", label, anchor))
    return Plot(_rings(longest), tuple(dots))


def _fits(named: list[tuple[float, float, float]], x: float, y: float, text: str, anchor: str) -> bool:
    """Return whether a label covers none of the earlier ones (left, right, y), and add it to them then."""
    width = LABEL_OFFSET + CHARACTER * min(len(text), LABEL_CHARACTERS)
    left, right = (x, x + width) if anchor == "start" else (x - width, x)
    if any(
        left < other_right and other_left < right and abs(y - other) < LINE for other_left, other_right, other in named
    ):
        return False
    named.append((left, right, y))
    return True


def _widest(vectors: Sequence[Sequence[float]], dimensions: int) -> tuple[int, int]:
    """Return the two components that differ most."""
    spread = [sum(vector[at] ** 2 for vector in vectors) for at in range(dimensions)]
    order = sorted(range(dimensions), key=lambda at: -spread[at])
    return order[0], order[1]


def _rings(longest: float) -> tuple[Ring, ...]:
    """Return two or three rings at round numbers of milliseconds."""
    power = 10.0 ** math.floor(math.log10(longest))
    steps = [factor * scale for scale in (power / 10, power) for factor in RINGS]
    fitting = [step for step in steps if 0.2 * longest <= step <= longest]
    return tuple(Ring(round(EDGE * step / longest, 1), f"{step:g} ms") for step in fitting[-3:])
