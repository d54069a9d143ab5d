"""Vivaldi coordinates: single observations by hand, properties, and convergence to known delays."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.gossip.serf.coordinates import (
    MAX_ERROR,
    MIN_HEIGHT_S,
    CoordinateClient,
    RejectedObservation,
    distance_s,
    raw_distance_s,
)
from pyconsul.agent.model.coordinate import DIMENSIONS, ORIGIN, Coordinate, distance, is_valid

SMALL = st.floats(-1.0, 1.0, allow_nan=False)
COORDINATES = st.builds(
    Coordinate,
    st.lists(SMALL, min_size=DIMENSIONS, max_size=DIMENSIONS),
    st.floats(0.0, MAX_ERROR),
    st.floats(-0.1, 0.1),
    st.floats(MIN_HEIGHT_S, 1.0),
)
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)
HOSTILE = st.builds(Coordinate, st.lists(ANY_FLOAT, min_size=6, max_size=9), ANY_FLOAT, ANY_FLOAT, ANY_FLOAT)


def at(*vec: float, error: float = 1.5, adjustment: float = 0.0, height: float = MIN_HEIGHT_S) -> Coordinate:
    return Coordinate([*vec, *[0.0] * (DIMENSIONS - len(vec))], error, adjustment, height)


def client(seed: int = 1) -> CoordinateClient:
    return CoordinateClient(random.Random(seed))


def test_the_first_observation_moves_away_in_proportion_to_the_weight() -> None:
    own = client()
    moved = own.observe("b", ORIGIN, 0.1)
    # Equal errors: w = 1/2. The estimate is two heights = 20 us; force = 0.25 * 0.5 * (0.1 - 0.00002).
    force = 0.125 * (0.1 - 2e-5)
    assert math.hypot(*moved.vec) == pytest.approx(force, rel=1e-6)
    # Relative error 0.9998, weight 1/8 of it.
    assert moved.error == pytest.approx(1.5 * 0.875 + 0.125 * (0.1 - 2e-5) / 0.1)
    # One of 20 slots is filled: (rtt - distance) / 40.
    assert moved.adjustment == pytest.approx((0.1 - force - 2e-5) / 40, rel=1e-4)
    # Peer at no distance: the height gets no share of the spring, and next to nothing of gravity.
    assert moved.height == pytest.approx(MIN_HEIGHT_S, rel=1e-3)


def test_the_height_takes_its_share() -> None:
    own = client()
    moved = own.observe("b", at(0.01, height=0.005), 0.05)
    force = 0.125 * (0.05 - 0.01 - 0.005 - MIN_HEIGHT_S)
    assert moved.vec[0] == pytest.approx(-force, rel=1e-6)
    assert moved.height == pytest.approx(MIN_HEIGHT_S + (0.005 + MIN_HEIGHT_S) * force / 0.01, rel=1e-4)


def test_the_median_of_three_round_trips_counts() -> None:
    def after(*rtts: float) -> CoordinateClient:
        own = client()
        for rtt in rtts:
            own.observe("b", at(0.01), rtt)
        return own

    # The outlier of 5 s is the middle of none of the windows but (0.01, 5): the upper of two.
    assert after(0.01, 0.01, 5.0, 0.01).coordinate == after(0.01, 0.01, 0.01, 0.01).coordinate
    assert after(0.01, 5.0).coordinate != after(0.01, 0.01).coordinate


def test_samples_are_kept_by_peer_until_it_is_forgotten() -> None:
    own = client()
    peer = at(0.01)
    own.observe("b", peer, 0.01)
    assert own.peer("b") == peer
    own.forget("b")
    own.forget("b")
    assert own.peer("b") is None


@given(COORDINATES, COORDINATES)
def test_distances_are_symmetric_and_positive(one: Coordinate, other: Coordinate) -> None:
    assert distance_s(one, other) == pytest.approx(distance_s(other, one))
    assert distance_s(one, other) > 0.0
    assert raw_distance_s(one, other) >= one.height + other.height
    assert distance(one, other) == pytest.approx(distance_s(one, other) * 1e9, abs=1.5)


@given(st.lists(st.tuples(COORDINATES, st.floats(0.0, 10.0)), max_size=30))
def test_a_coordinate_stays_valid(observations: list[tuple[Coordinate, float]]) -> None:
    own = client()
    for number, (peer, rtt) in enumerate(observations):
        moved = own.observe(f"peer-{number % 3}", peer, rtt)
        assert is_valid(moved)
        assert 0.0 <= moved.error <= MAX_ERROR
        assert moved.height >= MIN_HEIGHT_S
        assert own.coordinate == moved
    assert own.resets == 0


@given(HOSTILE, ANY_FLOAT)
def test_a_hostile_peer_cannot_make_a_coordinate_invalid(peer: Coordinate, rtt: float) -> None:
    own = client()
    own.observe("b", at(0.01), 0.02)
    before = own.coordinate
    try:
        own.observe("evil", peer, rtt)
    except RejectedObservation:
        assert own.coordinate is before
    assert is_valid(own.coordinate)
    assert own.resets == 0


@pytest.mark.parametrize(
    ("peer", "rtt", "reason"),
    [
        (Coordinate([0.0] * 7, 1.5, 0.0, 1e-5), 0.1, "7 dimensions instead of 8"),
        (at(math.nan), 0.1, "not a finite number"),
        (at(0.0, error=-1.0), 0.1, "negative"),
        (at(1e9), 0.1, "above 1000"),
        (at(0.1), 10.001, "not between 0 and 10 s"),
        (at(0.1), -0.001, "not between 0 and 10 s"),
    ],
)
def test_rejections_say_why(peer: Coordinate, rtt: float, reason: str) -> None:
    with pytest.raises(RejectedObservation, match=reason):
        client().observe("b", peer, rtt)


def converge(members: int, rtt_s: Callable[[int, int], float], *, cycles: int, seed: int) -> list[CoordinateClient]:
    """Let each member probe one random other member per cycle."""
    rng = random.Random(seed)
    clients = [CoordinateClient(rng) for _ in range(members)]
    for _ in range(cycles):
        for me, own in enumerate(clients):
            other = rng.choice([index for index in range(members) if index != me])
            own.observe(str(other), clients[other].coordinate, rtt_s(me, other))
    return clients


def errors(clients: list[CoordinateClient], rtt_s: Callable[[int, int], float]) -> list[float]:
    """The relative error of each pair's estimate."""
    pairs = [(a, b) for a in range(len(clients)) for b in range(a)]
    return [abs(distance_s(clients[a].coordinate, clients[b].coordinate) - rtt_s(a, b)) / rtt_s(a, b) for a, b in pairs]


def grid(a: int, b: int) -> float:
    """25 members on a grid, 10 ms from row to row and column to column."""
    return 0.010 * math.dist(divmod(a, 5), divmod(b, 5))


def two_sites(a: int, b: int) -> float:
    """Two sites of 1 ms each, 100 ms apart."""
    return 0.001 if a % 2 == b % 2 else 0.100


def slow_links(a: int, b: int) -> float:
    """Members around a circle with access links of 1 to 5 ms, which only heights can express."""
    angle = 2 * math.pi * abs(a - b) / 24
    return 0.040 * abs(math.sin(angle / 2)) + 0.001 * (1 + a % 5) + 0.001 * (1 + b % 5)


@pytest.mark.parametrize(
    ("rtt_s", "members", "median_bound", "worst_bound"),
    [(grid, 25, 0.02, 0.20), (two_sites, 20, 0.01, 0.05), (slow_links, 24, 0.02, 0.35)],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_coordinates_converge_to_known_delays(
    rtt_s: Callable[[int, int], float], members: int, median_bound: float, worst_bound: float, seed: int
) -> None:
    found = errors(converge(members, rtt_s, cycles=400, seed=seed), rtt_s)
    assert statistics.median(found) < median_bound
    assert max(found) < worst_bound
