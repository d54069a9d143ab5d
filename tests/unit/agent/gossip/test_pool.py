"""Whole agents of a pool, SWIM and Serf together, on a virtual network."""

from __future__ import annotations

import math
from base64 import b64encode

import pytest
from support.gossip_network import Network, NetworkAgent

from pyconsul.agent.gossip.serf.coordinates import distance_s
from pyconsul.agent.gossip.serf.effects import (
    KeyReport,
    KeyReported,
    LeftPool,
    MemberChanged,
    QueryAnswered,
    QueryReceived,
    UserEventReceived,
)
from pyconsul.agent.gossip.serf.queries.keys import KeyOperation
from pyconsul.agent.gossip.serf.settings import MIN_QUEUE_DEPTH
from pyconsul.agent.gossip.serf.snapshot import Contents
from pyconsul.agent.gossip.swim.packets import Queue
from pyconsul.agent.model.member import MemberEvent, MemberStatus, UnknownMember

ALIVE, LEFT, FAILED = MemberStatus.ALIVE, MemberStatus.LEFT, MemberStatus.FAILED
A, B = bytes(range(16)), bytes(range(32))


def joined(count: int, **options: object) -> tuple[Network, list[NetworkAgent]]:
    network = Network()
    agents = [network.start(f"n{index}", f"10.0.0.{index + 1}", **options) for index in range(count)]  # type: ignore[arg-type]
    for agent in agents[1:]:
        network.join(agent, agents[0])
    network.run_until(lambda: all_see(agents, dict.fromkeys([agent.name for agent in agents], ALIVE)), 10.0)
    return network, agents


def all_see(agents: list[NetworkAgent], statuses: dict[str, MemberStatus]) -> bool:
    return all(agent.statuses() == statuses for agent in agents)


def test_a_graceful_leave_is_seen_by_all_and_ends() -> None:
    network, agents = joined(5)
    leaver, others = agents[-1], agents[:-1]
    network.carry_out(leaver, leaver.pool.leave(network.now))
    seconds = network.run_until(lambda: bool(leaver.all(LeftPool)), 14.0)
    assert seconds > 3.0  # it answers while the news spread
    expected = {agent.name: ALIVE for agent in others} | {leaver.name: LEFT}
    assert all_see(others, expected)
    for agent in others:
        assert [change.event for change in agent.all(MemberChanged) if change.member.name == leaver.name] == [
            MemberEvent.JOIN,
            MemberEvent.LEAVE,
        ]


def test_an_agent_that_is_alone_leaves_at_once() -> None:
    network = Network()
    agent = network.start("a", "10.0.0.1")
    network.carry_out(agent, agent.pool.leave(network.now))
    network.run(0.0)
    assert agent.all(LeftPool)


def test_a_crash_is_noticed_forced_to_leave_and_forgotten() -> None:
    network, agents = joined(5)
    dead, others = agents[-1], agents[:-1]
    dead.is_up = False
    expected = {agent.name: ALIVE for agent in others}
    assert network.run_until(lambda: all_see(others, expected | {dead.name: FAILED}), 15.0) > 3.0
    network.carry_out(others[1], others[1].pool.force_leave(dead.name, network.now, prune=False))
    network.run_until(lambda: all_see(others, expected | {dead.name: LEFT}), 2.0)
    network.carry_out(others[2], others[2].pool.force_leave(dead.name, network.now, prune=True))
    network.run_until(lambda: all_see(others, expected), 2.0)
    with pytest.raises(UnknownMember):
        others[0].pool.force_leave("nobody", network.now, prune=False)


def test_a_crashed_agent_comes_back_at_another_address() -> None:
    network, agents = joined(4)
    dead, others = agents[-1], agents[:-1]
    dead.is_up = False
    network.run_until(lambda: all(agent.statuses()[dead.name] is FAILED for agent in others), 15.0)
    network.run(31.0)  # the name can be taken over after 30 s
    again = network.start(dead.name, "10.0.0.99", snapshot=Contents({}, clock=3))
    network.join(again, others[0])
    network.run_until(lambda: all_see([*others, again], {agent.name: ALIVE for agent in agents}), 5.0)
    found = others[1].pool.serf.members.get(dead.name)
    assert found
    assert found.address == "10.0.0.99"
    network.carry_out(again, again.pool.leave(network.now))
    network.run_until(lambda: all(agent.statuses()[dead.name] is LEFT for agent in others), 10.0)


def test_a_member_that_was_cut_off_is_found_again_by_reconnecting() -> None:
    network, agents = joined(3)
    lonely = agents[-1]
    lonely.is_up = False
    network.run_until(lambda: agents[0].statuses()[lonely.name] is FAILED, 15.0)
    network.run(120.0)  # SWIM has forgotten it
    lonely.is_up = True
    network.run_until(lambda: all_see(agents, {agent.name: ALIVE for agent in agents}), 300.0)


def test_events_are_delivered_once_in_spite_of_loss() -> None:
    network, agents = joined(8)
    network.loses = lambda sender, receiver: network.rng.random() < 0.25
    time, outputs = agents[3].pool.fire("deploy", b"v1", network.now)
    network.carry_out(agents[3], outputs)
    network.run(65.0)  # what gossip missed comes by push/pull
    for agent in agents:
        assert [(it.time, it.name, it.payload) for it in agent.all(UserEventReceived)] == [(time, "deploy", b"v1")]


def test_an_event_that_gossip_missed_comes_by_push_pull() -> None:
    network, agents = joined(3)
    network.run(5.0)
    network.loses = lambda sender, receiver: receiver is agents[2]
    network.carry_out(agents[0], agents[0].pool.fire("deploy", b"v1", network.now)[1])
    network.run(1.0)
    assert agents[2].all(UserEventReceived) == []
    network.loses = lambda sender, receiver: False
    network.run_until(lambda: bool(agents[2].all(UserEventReceived)), 90.0)


def test_a_joining_agent_does_not_get_old_events() -> None:
    network, agents = joined(2)
    network.carry_out(agents[0], agents[0].pool.fire("deploy", b"v1", network.now)[1])
    network.run(5.0)
    late = network.start("late", "10.0.0.50")
    network.join(late, agents[0])
    network.run(90.0)
    assert late.all(UserEventReceived) == []


def test_a_query_is_answered_by_all() -> None:
    network, agents = joined(4)
    handle, outputs = agents[0].pool.ask("uptime", b"?", network.now, nodes=["n1", "n2"])
    network.carry_out(agents[0], outputs)
    network.run(2.0)
    for agent in agents:
        for received in agent.all(QueryReceived):
            network.carry_out(agent, agent.pool.respond(received.query, agent.name.encode(), network.now))
    network.run(1.0)
    answers = {answer.node: answer.payload for answer in agents[0].all(QueryAnswered) if answer.handle == handle}
    assert answers == {"n1": b"n1", "n2": b"n2"}


def test_keys_are_rotated_on_all_members() -> None:
    network, agents = joined(4, keyring=(A,))
    steps = ((KeyOperation.INSTALL, B), (KeyOperation.USE, B), (KeyOperation.REMOVE, A), (KeyOperation.LIST, b""))
    for operation, key in steps:
        _, outputs = agents[1].pool.manage_keys(operation, b64encode(key).decode(), network.now)
        network.carry_out(agents[1], outputs)
        network.run_until(lambda: bool(agents[1].all(KeyReported)), 4.0)
        report = agents[1].all(KeyReported)[0].report
        assert report.error == ""
        agents[1].outputs.clear()
    text = b64encode(B).decode()
    assert report == KeyReport(4, 4, 0, {}, {text: 4}, {text: 4})


def test_tags_reach_all_members() -> None:
    network, agents = joined(3)
    network.carry_out(agents[0], agents[0].pool.set_tags({"role": "web"}, network.now))
    network.run(2.0)
    found = [agent.pool.serf.members.get("n0") for agent in agents]
    assert [member.tags for member in found if member] == [{"role": "web"}] * 3
    for agent in agents:
        assert [change.event for change in agent.all(MemberChanged)].count(MemberEvent.UPDATE) == 1
    with pytest.raises(ValueError, match="512"):
        agents[0].pool.set_tags({"role": "w" * 600}, network.now)


def test_a_second_agent_of_a_name_is_ignored_and_told() -> None:
    network, agents = joined(3)
    twin = network.start("n1", "10.0.0.77")
    network.join(twin, agents[0])
    network.run(3.0)
    found = agents[0].pool.serf.members.get("n1")
    assert found
    assert found.address == "10.0.0.2"
    errors = [output for output in twin.outputs if getattr(output, "is_error", False)]
    assert errors


def test_coordinates_estimate_the_delays_of_the_network() -> None:
    network = Network()
    agents = [network.start(f"n{index}", f"10.0.0.{index + 1}") for index in range(9)]

    def one_way_s(sender: NetworkAgent, receiver: NetworkAgent) -> float:
        places = [divmod(agents.index(agent), 3) for agent in (sender, receiver)]
        return 0.0005 + 0.010 * math.dist(*places)

    network.delay_s = one_way_s
    for agent in agents[1:]:
        network.join(agent, agents[0])
    network.run(300.0)
    errors = []
    for one in agents:
        for other in agents:
            if one is not other:
                coordinates = one.pool.serf.coordinates.coordinate, other.pool.serf.coordinates.coordinate
                rtt_s = 2 * one_way_s(one, other)
                errors.append(abs(distance_s(*coordinates) - rtt_s) / rtt_s)
    assert sorted(errors)[len(errors) // 2] < 0.05
    assert max(errors) < 0.35


def test_a_flood_of_events_keeps_the_queues_bounded() -> None:
    network, agents = joined(2)
    longest = 0
    for number in range(3 * MIN_QUEUE_DEPTH):
        agents[0].pool.fire(f"e{number}", b"", network.now)
        longest = max(longest, agents[0].pool.swim.queue_length(Queue.EVENTS))
    assert MIN_QUEUE_DEPTH < longest <= MIN_QUEUE_DEPTH * 1.25 + 1


def test_an_agent_does_not_explain_itself_by_probes() -> None:
    network, agents = joined(2)
    assert agents[0].pool.explain("n0", network.now).reasons == ("it is this agent",)
    assert agents[0].pool.explain("n1", network.now).reasons[0] == "it is alive"
