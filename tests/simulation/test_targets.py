"""Clusters in virtual time, with memberlist's LAN settings, compared with what real memberlist clusters did.

The bounds are the marks of the shared `gossip/TARGETS.md`: measured medians of real clusters with some room.
"""

from __future__ import annotations

import msgspec
import pytest
from simulation.cluster import Cluster
from simulation.measures import FalseAlarms, median, spread_of_crash, spread_of_update

from pyconsul.agent.gossip.swim.formulas import min_suspicion_s
from pyconsul.agent.gossip.swim.settings import LAN

SEED = 20261129


@pytest.mark.parametrize("size", [64, 128])
def test_an_idle_cluster_sends_two_packets_per_second_and_suspects_nobody(size: int) -> None:
    cluster = Cluster(size, seed=SEED)
    cluster.run_for(30)
    assert cluster.counts["packets"] / size / 30 == pytest.approx(2.0, abs=0.05)
    assert cluster.counts["MemberSuspected"] == 0


@pytest.mark.parametrize("size", [64, 128])
def test_an_update_is_known_to_all_within_a_second(size: int) -> None:
    cluster = Cluster(size, seed=SEED)
    cluster.run_for(2)
    spreads = []
    for node in cluster.nodes[:7]:
        spreads.append(spread_of_update(cluster, node))
        cluster.run_for(3)
    assert all(spread.missing == 0 for spread in spreads)
    assert median([spread.share(0.5) for spread in spreads]) <= 0.40
    assert median([spread.last for spread in spreads]) <= 1.0


@pytest.mark.parametrize(("size", "latest_s"), [(64, 10.3), (128, 11.5)])
def test_a_crash_is_noticed_when_the_formulas_say(size: int, latest_s: float) -> None:
    cluster = Cluster(size, seed=SEED)
    cluster.run_for(2)
    spreads = []
    for node in cluster.nodes[:5]:
        spreads.append(spread_of_crash(cluster, node))
        cluster.run_for(3)
    assert all(spread.missing == 0 for spread in spreads)
    assert min(spread.first for spread in spreads) >= min_suspicion_s(LAN, size)
    assert median([spread.first for spread in spreads]) <= latest_s
    assert max(spread.last - spread.first for spread in spreads) <= 1.0


def test_a_quarter_of_the_packets_lost() -> None:
    cluster = Cluster(128, seed=SEED, loss=0.25)
    alarms = FalseAlarms(cluster, cluster.nodes)
    cluster.run_for(90)
    assert alarms.events == 0
    assert cluster.counts["packets"] / 128 / 90 <= 7
    spreads = []
    for node in cluster.nodes[:5]:
        spreads.append(spread_of_update(cluster, node))
        cluster.run_for(3)
    assert median([spread.last for spread in spreads]) <= 1.2


@pytest.mark.parametrize("loss", [0.10, 0.25])
def test_loss_without_the_fallback_to_tcp(loss: float) -> None:
    """Few of the many suspicions go wrong (memberlist: 1 and 14 dead events in 90 s, one run each)."""
    cluster = Cluster(64, seed=SEED, loss=loss, tcp_pings=False)
    alarms = FalseAlarms(cluster, cluster.nodes)
    cluster.run_for(30)
    print(f"dead events about living nodes in 30 s: {alarms.events}, suspicions: {cluster.counts['MemberSuspected']}")
    assert cluster.counts["MemberSuspected"] > 0
    assert alarms.events <= 64


def slow_members(*, lifeguard: bool, seed: int, size: int, slow: int, rounds: int) -> int:
    """Freeze some members for 16 s of every 20 s, and return the dead events about the other ones."""
    settings = LAN if lifeguard else msgspec.structs.replace(LAN, awareness_max=1, suspicion_max_timeout_mult=1)
    cluster = Cluster(size, seed=seed, settings=settings)
    alarms = FalseAlarms(cluster, cluster.nodes[slow:])
    cluster.run_for(2)
    for _ in range(rounds):
        for node in cluster.nodes[:slow]:
            cluster.freeze(node)
        cluster.run_for(16)
        for node in cluster.nodes[:slow]:
            cluster.thaw(node)
        cluster.run_for(4)
    return alarms.events


def test_lifeguard_protects_healthy_members_from_slow_ones() -> None:
    with_it, without = (slow_members(lifeguard=on, seed=SEED, size=32, slow=3, rounds=2) for on in (True, False))
    assert without > 100
    assert 10 * with_it <= without


@pytest.mark.slow
def test_lifeguard_s_experiment() -> None:
    """128 members, 8 of them slow, 120 s (memberlist: 283 events with Lifeguard, 28,993 without)."""
    results = {
        on: median([slow_members(lifeguard=on, seed=seed, size=128, slow=8, rounds=6) for seed in (1, 2, 3)])
        for on in (True, False)
    }
    assert 10 * results[True] <= results[False], results


def test_a_thousand_members() -> None:
    cluster = Cluster(1000, seed=SEED)
    cluster.run_for(1)
    update = spread_of_update(cluster, cluster.nodes[0])
    assert update.missing == 0
    assert update.share(0.99) <= 1.0
    assert update.last <= 1.3
    crash = spread_of_crash(cluster, cluster.nodes[1])
    assert crash.missing == 0
    assert min_suspicion_s(LAN, 1000) <= crash.first
    assert crash.last <= 16
    assert max(cluster.queue_lengths()) <= 2 * 1000
