"""Coordinates: estimated round trips, and the order of nodes by them."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.model.coordinate import ORIGIN, Coordinate, NodeCoordinate, distance, is_valid
from pyconsul.agent.model.node import Node
from pyconsul.agent.state.catalog import coordinates, nodes
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

SECONDS = st.floats(-10, 10, allow_nan=False)
POINTS = st.builds(
    Coordinate, st.lists(SECONDS, min_size=8, max_size=8), st.just(1.5), st.floats(-0.1, 0.1), st.floats(0, 1)
)


def point(place: float, height: float = 0.0, adjustment: float = 0.0) -> Coordinate:
    return Coordinate([place] + [0.0] * 7, 1.5, adjustment, height)


def test_distances_worked_out_by_hand() -> None:
    assert distance(point(0.25), point(0.5)) == 0.25 * SECOND_NS
    assert distance(point(0.25, height=0.125), point(0.5, height=0.5)) == 0.875 * SECOND_NS
    assert distance(point(0.25, adjustment=0.25), point(0.5, adjustment=0.25)) == 0.75 * SECOND_NS
    # an adjustment that would make it negative is left out
    assert distance(point(0.25, adjustment=-1.0), point(0.5)) == 0.25 * SECOND_NS
    assert distance(None, ORIGIN) == distance(ORIGIN, None) == math.inf


def test_invalid_coordinates() -> None:
    assert is_valid(ORIGIN)
    assert not is_valid(point(math.nan))
    assert not is_valid(point(0.0, height=math.inf))


@given(POINTS, POINTS)
def test_a_distance_is_the_same_from_both_ends_and_never_negative(one: Coordinate, other: Coordinate) -> None:
    assert distance(one, other) == distance(other, one)
    assert distance(one, other) >= 0


def catalog(*names: str) -> WriteTxn:
    txn = WriteTxn(Store())
    txn.begin(1, 0.0)
    for name in names:
        nodes.ensure_node(txn, Node("", name, "10.0.0.1", "dc1", None, None, 0, 0))
    return txn


@given(st.lists(st.one_of(st.none(), st.sampled_from([0.0, 0.1, 0.2, 0.3])), min_size=1, max_size=12))
def test_the_order_is_by_distance_unknown_ones_last_and_equals_as_they_were(places: list[float | None]) -> None:
    names = [f"N{number}" for number in range(len(places))]
    txn = catalog("here", *names)
    coordinates.set_coordinate(txn, NodeCoordinate("HERE", "", point(0.0)))
    for name, place in zip(names, places, strict=True):
        if place is not None:
            coordinates.set_coordinate(txn, NodeCoordinate(name.lower(), "", point(place)))
    known = {name: place for name, place in zip(names, places, strict=True) if place is not None}
    naive = sorted(known, key=lambda name: (known[name], names.index(name)))
    ordered = coordinates.by_distance(txn, "here", names, lambda name: name)
    assert ordered == [*naive, *(name for name in names if name not in known)]
    assert coordinates.by_distance(txn, "nobody", names, lambda name: name) == names


def test_a_client_is_compared_in_its_own_segment() -> None:
    txn = catalog("server", "client", "other")
    for segment, place in (("", 0.0), ("alpha", 0.5)):
        coordinates.set_coordinate(txn, NodeCoordinate("server", segment, point(place)))
    coordinates.set_coordinate(txn, NodeCoordinate("client", "alpha", point(0.5)))
    coordinates.set_coordinate(txn, NodeCoordinate("other", "", point(0.25)))
    assert coordinates.by_distance(txn, "server", ["other", "client"], str) == ["client", "other"]


def test_they_go_with_their_node_and_only_known_nodes_have_them() -> None:
    txn = catalog("a")
    coordinates.set_coordinate(txn, NodeCoordinate("A", "", ORIGIN))
    coordinates.set_coordinate(txn, NodeCoordinate("b", "", ORIGIN))
    assert [row.node for row in coordinates.all_coordinates(txn)] == ["a"]
    nodes.delete_node(txn, "A")
    assert coordinates.all_coordinates(txn) == []
