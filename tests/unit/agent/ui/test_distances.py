"""Round trips and their plot."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.model.coordinate import DIMENSIONS, Coordinate, NodeCoordinate
from pyconsul.agent.ui.pages.catalog.distances import EDGE, LABELS, distances, plot, round_trip

ORIGIN = Coordinate([0.0] * DIMENSIONS, 1.5, 0.0, 0.0)
SECONDS = st.floats(-1.0, 1.0, allow_nan=False)


def at(node: str, *vector: float) -> NodeCoordinate:
    return NodeCoordinate(node, "", Coordinate([*vector, *[0.0] * (DIMENSIONS - len(vector))], 0.5, 0.0, 0.0))


def test_the_nearest_stands_first_and_the_longest_is_whole() -> None:
    found = distances(ORIGIN, [at("far", 0.1), at("near", 0.0, 0.02), at("middle", 0.05)])
    assert [(one.node, one.text, round(one.share, 2)) for one in found] == [
        ("near", "20.0 ms", 0.2),
        ("middle", "50.0 ms", 0.5),
        ("far", "100 ms", 1.0),
    ]


def test_round_trips_have_three_digits() -> None:
    assert [round_trip(value) for value in (0.4123, 4.123, 41.23, 1412.3)] == [
        "0.412 ms",
        "4.12 ms",
        "41.2 ms",
        "1,412 ms",
    ]


def test_nodes_in_the_same_place_have_no_plot() -> None:
    here = [at("a"), at("b")]
    assert plot(ORIGIN, here, distances(ORIGIN, here)) is None
    assert plot(ORIGIN, [], []) is None


def test_the_nearest_are_named() -> None:
    around = [number / 10 * math.tau for number in range(10)]
    others = [
        at(f"n{at_}", 0.1 * math.cos(angle), (0.1 + at_ / 100) * math.sin(angle)) for at_, angle in enumerate(around)
    ]
    found = distances(ORIGIN, others)
    made = plot(ORIGIN, others, found)
    assert made is not None
    assert [dot.label for dot in made.dots if dot.label] == [one.node for one in found[:LABELS]]


def test_labels_do_not_cover_each_other() -> None:
    others = [at(f"n{number:02}", number / 100) for number in range(1, 20)]
    made = plot(ORIGIN, others, distances(ORIGIN, others))
    assert made is not None
    named = [dot for dot in made.dots if dot.label and dot.anchor == "start"]
    assert named[0].label == "n01"
    assert all(later.x - earlier.x >= 28 for earlier, later in pairwise(named))
    assert [ring.label for ring in made.rings] == ["50 ms", "100 ms"]


@given(st.lists(st.lists(SECONDS, min_size=DIMENSIONS, max_size=DIMENSIONS), min_size=1, max_size=20))
def test_the_distance_from_the_center_is_the_round_trip(vectors: list[list[float]]) -> None:
    others = [at(f"n{number}", *vector) for number, vector in enumerate(vectors)]
    found = distances(ORIGIN, others)
    made = plot(ORIGIN, others, found)
    if made is None:
        assert found[-1].milliseconds == 0
        return
    for one, dot in zip(found, made.dots, strict=True):
        assert math.isclose(math.hypot(dot.x, dot.y), EDGE * one.share, abs_tol=0.15)
