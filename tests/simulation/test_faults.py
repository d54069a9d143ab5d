"""Faults of a cluster, and its recovery: bursts of joins, partitions, mass crashes, restarts, leaves, delay."""

from __future__ import annotations

import itertools
import random

import pytest
from simulation.cluster import Cluster, Node, member
from simulation.measures import FalseAlarms, spread_of_crash, spread_of_update

from pyconsul.agent.gossip.swim.effects import Effect, MemberLeft
from pyconsul.agent.gossip.swim.member import MemberState
from pyconsul.agent.gossip.wire.encryption import Keyring
from pyconsul.agent.gossip.wire.packet import Framing

SEED = 17


def all_know(cluster: Cluster, nodes: list[Node]) -> bool:
    return all(cluster.knows_all_alive(node, nodes) for node in nodes)


def converges(cluster: Cluster, nodes: list[Node], limit_s: float, step_s: float = 0.1) -> bool:
    """Run until these nodes know exactly each other as alive."""
    end = cluster.now + limit_s
    while cluster.now < end:
        if all_know(cluster, nodes):
            return True
        cluster.run_for(step_s)
    return all_know(cluster, nodes)


@pytest.mark.parametrize("size", [16, 64, 100])
def test_many_members_that_join_at_once_know_each_other_within_two_seconds(size: int) -> None:
    cluster = Cluster(size, seed=SEED, settled=False, delay_s=lambda rng, source, target: 0.0005)
    for node in cluster.nodes[1:]:
        cluster.at(0.1 * cluster.rng.random(), lambda node=node: cluster.join(node, cluster.nodes[0]))  # type: ignore[misc]
    cluster.run_for(0.1)
    assert converges(cluster, cluster.nodes, 1.9)


def test_one_member_joins_a_settled_cluster() -> None:
    cluster = Cluster(64, seed=SEED)
    newcomer = cluster.nodes[0]
    for node in cluster.nodes[1:]:
        node.swim.members.put(member(63))  # same records; the newcomer is added by its own join
    cluster.restart(newcomer)
    cluster.join(newcomer, cluster.nodes[5])
    assert converges(cluster, cluster.nodes, 2)


def test_a_partition_heals_by_itself() -> None:
    """Both halves declare each other dead; gossip to the dead, while it lasts, brings them together again."""
    cluster = Cluster(32, seed=SEED)
    left, right = cluster.nodes[:16], cluster.nodes[16:]
    for node in right:
        node.group = 1
    assert converges(cluster, left, 60)
    assert converges(cluster, right, 60)
    for node in right:
        node.group = 0
    assert converges(cluster, cluster.nodes, 60)


def test_a_mass_crash_is_noticed_by_all_survivors() -> None:
    cluster = Cluster(64, seed=SEED)
    cluster.run_for(2)
    survivors = cluster.nodes[:40]
    for node in cluster.nodes[40:]:
        node.is_down = True
    alarms = FalseAlarms(cluster, survivors)
    assert converges(cluster, survivors, 90, step_s=1)
    assert alarms.events == 0
    assert max(cluster.queue_lengths()) <= 2 * 64


def test_a_restarted_member_takes_its_name_again() -> None:
    cluster = Cluster(32, seed=SEED)
    node = cluster.nodes[3]
    cluster.do(node, node.swim.set_meta(b"changed", 0.0))
    cluster.run_for(2)
    node.is_down = True
    cluster.run_for(2)
    cluster.restart(node)
    cluster.join(node, cluster.nodes[0])
    cluster.run_for(3)
    for other in cluster.nodes:
        seen = other.swim.members.get(node.name)
        assert seen is not None
        assert (seen.state, seen.incarnation, seen.meta) == (MemberState.ALIVE, 3, b"meta")


def test_a_leave_is_known_within_two_seconds_and_no_failure() -> None:
    cluster = Cluster(64, seed=SEED)
    leaver, states = cluster.nodes[9], []

    def note(observer: Node, effect: Effect) -> None:
        if isinstance(effect, MemberLeft):
            states.append(effect.member.state)

    cluster.on_change = note
    cluster.do(leaver, leaver.swim.leave(cluster.now))
    cluster.run_for(2)
    leaver.is_down = True
    cluster.run_for(20)
    assert states == [MemberState.LEFT] * 64


@pytest.mark.parametrize("delay_ms", [(5, 20), (100, 200)])
def test_delay_alone_makes_nobody_suspect(delay_ms: tuple[int, int]) -> None:
    def delay_s(rng: random.Random, source: Node, target: Node) -> float:
        return rng.uniform(*delay_ms) / 1000

    cluster = Cluster(64, seed=SEED, delay_s=delay_s)
    cluster.run_for(30)
    assert cluster.counts["MemberSuspected"] == 0
    assert cluster.counts["packets"] / 64 / 30 == pytest.approx(2.0, abs=0.05)


def test_a_tenth_of_all_packets_lost_makes_nobody_fail() -> None:
    cluster = Cluster(32, seed=SEED, loss=0.10)
    alarms = FalseAlarms(cluster, cluster.nodes)
    cluster.run_for(60)
    assert alarms.events == 0


@pytest.mark.parametrize("tcp_pings", [True, False])
def test_loss_in_one_direction_is_bridged_by_others(tcp_pings: bool) -> None:
    """A member whose packets do not reach half of the others stays alive: those ask the rest to probe it."""
    cluster = Cluster(32, seed=SEED, tcp_pings=tcp_pings)
    cluster.cut = {(cluster.nodes[0], other) for other in cluster.nodes[1:17]}
    alarms = FalseAlarms(cluster, cluster.nodes)
    cluster.run_for(60)
    assert alarms.events == 0


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> tuple[int, list[float]]:
        cluster = Cluster(32, seed=seed, loss=0.2, tcp_pings=False)
        cluster.run_for(20)
        return cluster.counts["packets"], [node.swim.deadline() for node in cluster.nodes]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_cluster_that_encrypts_and_compresses_every_byte() -> None:
    """Packets and streams go through the codecs: joins, news, and a crash."""
    nonces = itertools.count()
    framing = Framing(
        random_bytes=lambda size: next(nonces).to_bytes(size, "big"), label=b"blue", keyring=Keyring([b"k" * 32])
    )
    cluster = Cluster(24, seed=SEED, settled=False, framing=framing)
    for node in cluster.nodes[1:]:
        cluster.join(node, cluster.nodes[0])
    assert converges(cluster, cluster.nodes, 5)
    assert spread_of_update(cluster, cluster.nodes[2]).last <= 1.0
    cluster.do(cluster.nodes[3], cluster.nodes[3].swim.test_udp(cluster.nodes[4].swim.local.address, cluster.now))
    crash = spread_of_crash(cluster, cluster.nodes[5])
    assert crash.missing == 0
    assert cluster.counts["UDP passes"] == 1
    assert cluster.counts["bytes"] > 100_000
