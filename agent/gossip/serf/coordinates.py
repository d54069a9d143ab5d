"""Network coordinates: each member learns from round trips where it stands, so that any two round trips can be estimated.

All times are seconds. A coordinate is a point in 8 dimensions plus a height (the access link, which every path crosses) plus an
adjustment; `error` is the relative error that its owner expects of it (no unit, 1.5 = unknown).

Sources:
  [V] Dabek, Cox, Kaashoek, Morris: "Vivaldi: A Decentralized Network Coordinate System", SIGCOMM 2004
      (springs with an adaptive time step, height vectors)
  [L] Ledlie, Gardner, Seltzer: "Network Coordinates in the Wild", NSDI 2007 (moving percentile filter, gravity)
  [A] Lee, Zhang, Sahu, Saha: "On Suitability of Euclidean Embedding for Host-Based Network Coordinate Systems",
      IEEE/ACM Transactions on Networking 18(1), 2010 (adjustment term)
  [S] Serf's constants (https://github.com/hashicorp/serf/tree/master/coordinate), needed alike by all members of a pool

One observation (a direct probe of a peer, answered with the peer's coordinate after `rtt` seconds):
  1. filter     rtt = median of the last 3 round trips to that peer                                   [L]
  2. error      w = e / (e + e_peer);  e = e (1 - 0.25 w) + 0.25 w |estimate - rtt| / rtt, at most 1.5[V]
  3. spring     force = 0.25 w (rtt - estimate), along the line from the peer to us                   [V]
  4. adjustment = sum of the last 20 (rtt - distance without adjustments) / 40                        [A]
  5. gravity    force = -(estimate to the origin / 150)^2, along the line from the origin to us       [L]
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from pyconsul.agent.gossip.serf.rng import Rng
from pyconsul.agent.model.coordinate import DIMENSIONS, ORIGIN, Coordinate, is_valid

MAX_ERROR = 1.5  # [S] of a coordinate that has not been measured
ERROR_WEIGHT = 0.25  # [V] c_e: share of one observation in the error
SPRING_WEIGHT = 0.25  # [V] c_c: share of one observation in the position
MIN_HEIGHT_S = 10e-6  # [S]
LATENCY_SAMPLES = 3  # [S] round trips per peer of which the median counts
ADJUSTMENT_SAMPLES = 20  # [S]
GRAVITY_RHO_S = 150.0  # [S] distance from the origin at which gravity pulls by 1 s an observation
MAX_RTT_S = 10.0  # [S] longer round trips are rejected
MAX_COMPONENT_S = 1_000.0  # own choice: gravity keeps honest coordinates within seconds, so larger ones are rejected
ZERO_S = 1e-6  # below this a distance counts as none: its direction would be noise


def raw_distance_s(one: Coordinate, other: Coordinate) -> float:
    """Return the estimated round trip in seconds without the adjustment terms."""
    return math.dist(one.vec, other.vec) + one.height + other.height


def distance_s(one: Coordinate, other: Coordinate) -> float:
    """Return the estimated round trip in seconds. Adjustments that would make it negative are left out [S]."""
    raw = raw_distance_s(one, other)
    adjusted = raw + one.adjustment + other.adjustment
    return adjusted if adjusted > 0.0 else raw


class RejectedObservation(ValueError):
    """A round trip or a peer's coordinate that must not be learned from; the text says why."""


def _check(name: str, peer: Coordinate, rtt_s: float) -> None:
    """Raise RejectedObservation for what an honest peer cannot have reported."""
    if len(peer.vec) != DIMENSIONS:
        raise RejectedObservation(f"coordinate of {name} has {len(peer.vec)} dimensions instead of {DIMENSIONS}")
    if not is_valid(peer):
        raise RejectedObservation(f"coordinate of {name} has a component that is not a finite number")
    if peer.error < 0.0 or peer.height < 0.0:
        raise RejectedObservation(f"coordinate of {name} has a negative error or height")
    largest_s = max(peer.error, peer.height, abs(peer.adjustment), *map(abs, peer.vec))
    if largest_s > MAX_COMPONENT_S:
        raise RejectedObservation(f"coordinate of {name} has the component {largest_s}, above {MAX_COMPONENT_S:.0f}")
    if not 0.0 <= rtt_s <= MAX_RTT_S:
        raise RejectedObservation(f"round trip to {name} of {rtt_s} s is not between 0 and {MAX_RTT_S:.0f} s")


class CoordinateClient:
    """The coordinate of this agent, and the last known coordinate of each peer that it has probed."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self._own = ORIGIN
        self._round_trips: dict[str, deque[float]] = {}
        self._adjustments: deque[float] = deque(maxlen=ADJUSTMENT_SAMPLES)
        self._peers: dict[str, Coordinate] = {}
        #: How often an invalid result was thrown away and the coordinate started again from the origin.
        self.resets = 0

    @property
    def coordinate(self) -> Coordinate:
        """The present coordinate of this agent; it travels in each acknowledgment."""
        return self._own

    def peer(self, name: str) -> Coordinate | None:
        """Return the coordinate that a peer reported with its last acknowledgment."""
        return self._peers.get(name)

    def forget(self, name: str) -> None:
        """Drop the samples of a peer that left the pool."""
        self._round_trips.pop(name, None)
        self._peers.pop(name, None)

    def observe(self, name: str, peer: Coordinate, rtt_s: float) -> Coordinate:
        """Learn from one acknowledged probe and return the new coordinate. Raises RejectedObservation."""
        _check(name, peer, rtt_s)
        rtt_s = self._filtered(name, rtt_s)
        moved = self._spring(self._own, peer, rtt_s)
        moved = self._adjusted(moved, peer, rtt_s)
        moved = self._gravity(moved)
        if not is_valid(moved):
            moved = ORIGIN
            self._adjustments.clear()
            self.resets += 1
        self._own = moved
        self._peers[name] = peer
        return moved

    def _filtered(self, name: str, rtt_s: float) -> float:
        """Return the median of the last round trips to a peer, the upper one of two [L]."""
        samples = self._round_trips.get(name)
        if samples is None:
            samples = self._round_trips[name] = deque(maxlen=LATENCY_SAMPLES)
        samples.append(rtt_s)
        return sorted(samples)[len(samples) // 2]

    def _spring(self, own: Coordinate, peer: Coordinate, rtt_s: float) -> Coordinate:
        """Move towards the peer or away from it by what the estimate was wrong, weighted by both errors [V]."""
        estimate = distance_s(own, peer)
        rtt_s = max(rtt_s, ZERO_S)
        wrongness = abs(estimate - rtt_s) / rtt_s
        weight = own.error / max(own.error + peer.error, ZERO_S)
        error = own.error * (1.0 - ERROR_WEIGHT * weight) + ERROR_WEIGHT * weight * wrongness
        moved = self._pushed(own, peer, SPRING_WEIGHT * weight * (rtt_s - estimate))
        return Coordinate(moved.vec, min(error, MAX_ERROR), moved.adjustment, moved.height)

    def _adjusted(self, own: Coordinate, peer: Coordinate, rtt_s: float) -> Coordinate:
        """Set the adjustment: half the mean error of the last observations, empty slots counting as 0 [A]."""
        self._adjustments.append(rtt_s - raw_distance_s(own, peer))
        adjustment = sum(self._adjustments) / (2.0 * ADJUSTMENT_SAMPLES)
        return Coordinate(own.vec, own.error, adjustment, own.height)

    def _gravity(self, own: Coordinate) -> Coordinate:
        """Pull towards the origin, so that the whole pool does not drift away [L]."""
        pull = distance_s(ORIGIN, own) / GRAVITY_RHO_S
        return self._pushed(own, ORIGIN, -(pull * pull))

    def _pushed(self, own: Coordinate, other: Coordinate, force_s: float) -> Coordinate:
        """Move by `force_s` away from another point; the height takes its share in proportion [V]."""
        direction, distance = self._direction(own.vec, other.vec)
        vec = [mine + step * force_s for mine, step in zip(own.vec, direction, strict=True)]
        height = own.height
        if distance > ZERO_S:
            height = max(MIN_HEIGHT_S, height + (height + other.height) * force_s / distance)
        return Coordinate(vec, own.error, own.adjustment, height)

    def _direction(self, to: Sequence[float], start: Sequence[float]) -> tuple[list[float], float]:
        """Return the unit vector from one point to another and their distance; a random one if they coincide."""
        difference = [one - other for one, other in zip(to, start, strict=True)]
        length = math.hypot(*difference)
        if length > ZERO_S:
            return [part / length for part in difference], length
        difference = [self._rng.random() - 0.5 for _ in difference]
        length = math.hypot(*difference)
        if length <= ZERO_S:
            return [1.0] + [0.0] * (DIMENSIONS - 1), 0.0
        return [part / length for part in difference], 0.0
