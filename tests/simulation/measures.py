"""Measurements in a simulated cluster."""

from __future__ import annotations

import math
import statistics

from simulation.cluster import Cluster, Node

from pyconsul.agent.gossip.swim.effects import Effect, MemberLeft, MemberUpdated


class Spread:
    """The times after which nodes knew of a change, in seconds."""

    def __init__(self, times_s: list[float], expected: int) -> None:
        self.times_s = sorted(times_s)
        self.missing = expected - len(times_s)

    def share(self, part: float) -> float:
        """Return the time after which this part of the nodes knew."""
        return self.times_s[math.ceil(part * len(self.times_s)) - 1]

    @property
    def first(self) -> float:
        return self.times_s[0]

    @property
    def last(self) -> float:
        return self.times_s[-1]


def spread_of_update(cluster: Cluster, node: Node, limit_s: float = 60.0) -> Spread:
    """Change the meta data of a node and run until all others know."""
    started_at, times = cluster.now, []
    others = len(cluster.up()) - 1

    def note(observer: Node, effect: Effect) -> None:
        if isinstance(effect, MemberUpdated) and effect.member.name == node.name and observer is not node:
            times.append(cluster.now - started_at)

    cluster.on_change = note
    cluster.do(node, node.swim.set_meta(f"changed at {cluster.now}".encode(), cluster.now))
    cluster.run_until(lambda: len(times) == others, limit_s)
    cluster.on_change = None
    return Spread(times, others)


def spread_of_crash(cluster: Cluster, node: Node, limit_s: float = 60.0) -> Spread:
    """Switch a node off and run until all others hold it for dead."""
    started_at, times = cluster.now, []
    others = len(cluster.up()) - 1

    def note(observer: Node, effect: Effect) -> None:
        if isinstance(effect, MemberLeft) and effect.member.name == node.name:
            times.append(cluster.now - started_at)

    cluster.on_change = note
    node.is_down = True
    cluster.run_until(lambda: len(times) == others, limit_s)
    cluster.on_change = None
    return Spread(times, others)


class FalseAlarms:
    """Counts the dead events about nodes that are up, at every observer."""

    def __init__(self, cluster: Cluster, watched: list[Node]) -> None:
        names = {node.name for node in watched}
        self.events = 0
        self.names: set[str] = set()

        def note(observer: Node, effect: Effect) -> None:
            if isinstance(effect, MemberLeft) and effect.member.name in names:
                self.events += 1
                self.names.add(effect.member.name)

        cluster.on_change = note


def median(values: list[float]) -> float:
    return statistics.median(values)
