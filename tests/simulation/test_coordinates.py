"""Network coordinates learned from the acks of a simulated cluster whose delays are known."""

from __future__ import annotations

import math
import random
import statistics

from simulation.cluster import Cluster, Node

from pyconsul.agent.gossip.serf.coordinates import CoordinateClient, distance_s
from pyconsul.agent.gossip.swim.effects import Effect, ProbeAnswered

SIZE = 48


def test_coordinates_predict_round_trips() -> None:
    """Members stand in a plane of 100 ms by 100 ms, behind access links of 1 to 5 ms; every packet is up to 5 % late."""
    layout = random.Random(3)
    places = [(layout.uniform(0, 0.1), layout.uniform(0, 0.1)) for _ in range(SIZE)]
    links = [layout.uniform(0.001, 0.005) for _ in range(SIZE)]

    def round_trip_s(one: int, other: int) -> float:
        return math.dist(places[one], places[other]) + links[one] + links[other]

    def delay_s(rng: random.Random, source: Node, target: Node) -> float:
        return round_trip_s(source.index, target.index) / 2 * rng.uniform(1.0, 1.05)

    cluster = Cluster(SIZE, seed=1, delay_s=delay_s)
    clients = {node.name: CoordinateClient(random.Random(node.index)) for node in cluster.nodes}

    def learn(observer: Node, effect: Effect) -> None:
        if isinstance(effect, ProbeAnswered):
            name = effect.member.name
            clients[observer.name].observe(name, clients[name].coordinate, effect.rtt_s)

    def median_error() -> float:
        errors = []
        for one in range(SIZE):
            for other in range(one):
                actual = round_trip_s(one, other)
                estimate = distance_s(clients[f"node-{one}"].coordinate, clients[f"node-{other}"].coordinate)
                errors.append(abs(estimate - actual) / actual)
        return statistics.median(errors)

    assert median_error() > 0.9
    cluster.on_change = learn
    cluster.run_for(60)
    assert median_error() < 0.08
    cluster.run_for(60)
    assert median_error() < 0.05
