"""Broadcasts of one node: to whom, in which order, within which size (PROTOCOL, section 6.6)."""

from __future__ import annotations

from support.swim_node import Harness, address_of, alive, with_settings

from pyconsul.agent.gossip.swim.effects import (
    BroadcastFinished,
    LogLine,
    SendPacket,
)
from pyconsul.agent.gossip.swim.packets import Queue
from pyconsul.agent.gossip.wire.messages import (
    Dead,
    Ping,
    UserMessage,
)


def test_broadcasts_go_to_three_members_in_each_interval() -> None:
    node = Harness(*"abcdef", settings=with_settings(probe_interval_s=1000.0))
    node.effects += node.swim.broadcast(Queue.EVENTS, b"event", node.now, token="event")
    node.run_for(0.2)
    packets = node.take(SendPacket)
    assert len({packet.address for packet in packets}) == 3
    for packet in packets:
        assert packet.crc
        assert packet.encoded_parts() == [b"\x08event"]
    node.run_for(0.2)
    assert node.take(BroadcastFinished) == [BroadcastFinished("event")]  # 4 × ceil(log10 8) = 4 times
    node.run_for(5)
    assert node.sent() == []


def test_packets_carry_broadcasts_within_the_budget() -> None:
    node = Harness("a")
    for index in range(60):
        node.swim.broadcast(Queue.EVENTS, b"%02d" % index + bytes(90), node.now)
    node.hear(Ping(1, "self"))
    [packet] = node.take(SendPacket)
    parts = packet.encoded_parts()
    assert sum(map(len, parts)) + 2 * len(packet.broadcasts) + 2 <= 1400
    assert len(parts) == 15


def test_a_broadcast_that_fits_into_no_packet_is_dropped() -> None:
    node = Harness("a")
    node.effects += node.swim.broadcast(Queue.EVENTS, bytes(1400), node.now, token="event")
    assert node.swim.queue_length(Queue.EVENTS) == 0
    assert [type(effect) for effect in node.effects] == [LogLine, BroadcastFinished]


def test_a_node_alone_does_not_wake_up_for_gossip() -> None:
    node = Harness(settings=with_settings(probe_interval_s=1000.0, push_pull_interval_s=1000.0))
    node.swim.broadcast(Queue.EVENTS, b"event", node.now)
    assert node.swim.deadline() > 1
    node.hear(alive("a"))
    assert node.swim.deadline() < 1
    node.run_for(0.2)
    assert {type(message).__name__ for _, message in node.sent()} == {"UserMessage", "Alive"}


def test_membership_goes_before_the_delegate_s_queues() -> None:
    node = Harness("a")
    for queue in (Queue.EVENTS, Queue.QUERIES, Queue.INTENTS):
        node.swim.broadcast(queue, queue.name.encode() + bytes(100), node.now)
    node.hear(alive("b"))
    node.hear(Ping(1, "self"))
    messages = [message for _, message in node.sent()]
    kinds = [
        message.payload.rstrip(b"\0") if isinstance(message, UserMessage) else type(message).__name__
        for message in messages
    ]
    assert kinds == ["Ack", "Alive", b"INTENTS", b"QUERIES", b"EVENTS"]


def test_the_dead_receive_gossip_for_a_while_and_leavers_none() -> None:
    quiet = with_settings(probe_interval_s=1000.0, catch_up=False)
    node = Harness("dead", "left", settings=quiet)
    node.hear(Dead(1, "dead", "x"), Dead(1, "left", "left"))
    node.run_for(1)
    assert {address for address, _ in node.sent()} == {address_of("dead")}
    node.drain()
    node.run_for(28)
    node.swim.broadcast(Queue.EVENTS, b"event", node.now)
    node.run_for(0.3)
    assert node.sent()
    node.drain()
    node.run_for(5)
    node.swim.broadcast(Queue.EVENTS, b"event", node.now)
    node.run_for(1)
    assert node.sent() == []
