"""Probes, relays and UDP tests of one node (PROTOCOL, section 4)."""

from __future__ import annotations

import itertools

import pytest
from support.swim_node import SOURCE, Harness, address_of, alive, with_settings

from pyconsul.agent.gossip.swim.effects import (
    LogLine,
    ProbeAnswered,
    SendPacket,
    SendStreamPing,
    UdpTested,
    UserMessageReceived,
)
from pyconsul.agent.gossip.swim.member import MemberState
from pyconsul.agent.gossip.wire.messages import (
    Ack,
    Address,
    Dead,
    IndirectPing,
    Nack,
    Ping,
    Suspect,
    UserMessage,
)

SELF = address_of("self")


def probe(node: Harness) -> Ping:
    """Run until the next probe begins and return its ping."""
    for _ in range(3000):
        node.run_for(0.001)
        pings = [message for _, message in node.sent() if isinstance(message, Ping)]
        if pings:
            return pings[0]
    raise AssertionError("no probe")


def test_a_probe_asks_a_member_and_tells_where_to_answer() -> None:
    ping = probe(Harness("a"))
    assert (ping.node, ping.source_ip, ping.source_port, ping.source_node) == ("a", SELF.ip, SELF.port, "self")


def test_an_ack_ends_the_probe_and_gives_the_round_trip_time() -> None:
    node = Harness("a")
    ping = probe(node)
    node.now += 0.02
    node.hear(Ack(ping.seq_no, b"coordinate"))
    answers = node.take(ProbeAnswered)
    assert [(answer.member.name, answer.payload) for answer in answers] == [("a", b"coordinate")]
    assert answers[0].rtt_s == pytest.approx(0.02, abs=0.002)
    node.hear(Ack(ping.seq_no))
    assert node.take(ProbeAnswered) == []
    node.run_for(0.9)
    assert node.take(SendStreamPing) == []
    assert node.state_of("a") is MemberState.ALIVE


def test_probes_come_every_interval_and_reach_everybody() -> None:
    node = Harness("a", "b", "c")
    names, times = [], []
    for _ in range(6):
        ping = probe(node)
        node.hear(Ack(ping.seq_no))
        names.append(ping.node)
        times.append(node.now)
    assert sorted(names[:3]) == sorted(names[3:]) == ["a", "b", "c"]
    assert [round(after - before, 2) for before, after in itertools.pairwise(times)] == [1.0] * 5


def test_without_an_ack_others_are_asked_and_the_stream_is_tried() -> None:
    node = Harness("a", "b", "c", "d", "e")
    ping = probe(node)
    node.run_for(0.51)
    stream_pings = [effect for effect in node.effects if isinstance(effect, SendStreamPing)]
    assert [(effect.ping, effect.address) for effect in stream_pings] == [(ping, address_of(ping.node))]
    asked = [(address, message) for address, message in node.sent() if isinstance(message, IndirectPing)]
    assert len({address for address, _ in asked}) == 3
    for address, message in asked:
        assert address not in (SELF, address_of(ping.node))
        assert (message.seq_no, message.node, message.nack) == (ping.seq_no, ping.node, True)
        assert Address(message.target, message.port) == address_of(ping.node)


def test_an_indirect_ack_saves_the_member() -> None:
    node = Harness("a", "b", "c")
    ping = probe(node)
    node.run_for(0.6)
    node.take(SendPacket)
    node.hear(Ack(ping.seq_no))
    assert node.take(ProbeAnswered) == []  # no round trip time is known
    node.run_for(0.38)
    assert node.state_of(ping.node) is MemberState.ALIVE


def test_a_failed_probe_makes_a_suspect() -> None:
    node = Harness("a", "b", "c", "d", "e")
    ping = probe(node)
    node.run_for(0.6)
    for _ in range(3):
        node.hear(Nack(ping.seq_no))
    node.run_for(0.41)
    assert node.state_of(ping.node) is MemberState.SUSPECT
    assert node.swim.health_score == 0  # the helpers work, so the fault is the member's
    explanation = node.swim.explain(ping.node)
    assert explanation is not None
    assert (explanation.accusers, explanation.contact.missed_probes) == (("self",), 1)


@pytest.mark.parametrize(("nacks", "score"), [(3, 0), (2, 1), (0, 3)])
def test_missing_nacks_spoil_the_health_score(nacks: int, score: int) -> None:
    node = Harness("a", "b", "c", "d", "e", settings=with_settings(probe_interval_s=1.0))
    ping = probe(node)
    node.run_for(0.6)
    for _ in range(nacks):
        node.hear(Nack(ping.seq_no))
    node.run_for(0.41)
    assert node.swim.health_score == score


def test_with_nobody_to_ask_the_score_rises_by_one_and_probes_slow_down() -> None:
    node = Harness("a")
    probe(node)
    node.run_for(1.0)
    assert node.swim.health_score == 1
    ping = probe(node)
    node.run_for(1.5)
    assert node.swim.health_score == 1
    node.hear(Ack(ping.seq_no))
    assert node.swim.health_score == 0


def test_a_member_that_answers_by_tcp_only_is_not_suspected() -> None:
    node = Harness("a")
    ping = probe(node)
    node.run_for(0.6)
    node.swim.stream_ack(ping.seq_no)
    node.run_for(0.41)
    assert node.state_of("a") is MemberState.ALIVE
    assert node.take(LogLine)[0].category == "UDP blocked"
    explanation = node.swim.explain("a")
    assert explanation is not None
    assert explanation.contact.last_stream_ack_at == pytest.approx(node.now, abs=0.1)


def test_a_suspect_is_told_with_the_probe() -> None:
    node = Harness("a")
    node.hear(Suspect(1, "a", "b"))
    node.drain()
    for _ in range(1500):
        node.run_for(0.001)
        packets = [
            packet for packet in node.take(SendPacket) if packet.messages and isinstance(packet.messages[0], Ping)
        ]
        if packets:
            break
    assert packets[0].messages[1] == Suspect(1, "a", "self")
    assert packets[0].crc


def test_a_node_that_wakes_late_still_gives_others_their_time() -> None:
    node = Harness("a", "b")
    ping = probe(node)
    node.now += 60
    node.effects += node.swim.tick(node.now)
    assert node.state_of(ping.node) is MemberState.ALIVE
    assert len(node.take(SendStreamPing)) == 1


def test_a_ping_is_answered_to_its_source_fields() -> None:
    node = Harness("a", ack_payload=b"coordinate")
    node.hear(Ping(9, "self", b"\x0a\0\0\x0b", 77, "a"), Ping(10, ""), Ping(11, "other"))
    lines = [effect for effect in node.effects if isinstance(effect, LogLine)]
    assert node.sent() == [(Address(b"\x0a\0\0\x0b", 77), Ack(9, b"coordinate")), (SOURCE, Ack(10, b"coordinate"))]
    assert [line.category for line in lines] == ["ping for another node"]


def relay_request(seq_no: int = 5, *, nack: bool = True) -> IndirectPing:
    target = address_of("b")
    return IndirectPing(seq_no, target.ip, target.port, "b", nack, b"\x0a\0\0\x0b", 77, "a")


def test_a_relayed_ping_is_acked_without_payload() -> None:
    node = Harness("a", "b")
    node.hear(relay_request())
    [(address, ping)] = node.sent()
    assert isinstance(ping, Ping)
    assert (address, ping.node, ping.source_node) == (address_of("b"), "b", "self")
    node.hear(Ack(ping.seq_no, b"coordinate"))
    assert node.sent() == [(Address(b"\x0a\0\0\x0b", 77), Ack(5))]
    node.run_for(0.7)
    assert not [message for _, message in node.sent() if isinstance(message, Nack)]


@pytest.mark.parametrize("wants_nack", [True, False])
def test_a_relayed_ping_without_an_ack_is_nacked(wants_nack: bool) -> None:
    node = Harness("a", "b")
    node.hear(relay_request(nack=wants_nack))
    node.run_for(0.49)
    assert not [message for _, message in node.sent() if isinstance(message, Nack)]
    node.run_for(0.02)
    nacks = [message for _, message in node.sent() if isinstance(message, Nack)]
    assert nacks == ([Nack(5)] if wants_nack else [])


def test_relays_are_bounded() -> None:
    node = Harness("a", "b")
    for seq_no in range(1030):
        node.hear(relay_request(seq_no))
    assert len(node.take(LogLine)) == 6


def test_dead_members_are_forgotten_after_that_time() -> None:
    node = Harness("a", "b")
    node.hear(Dead(1, "b", "a"))
    for _ in range(45):
        ping = probe(node)
        node.hear(Ack(ping.seq_no))
    assert node.state_of("b") is None
    assert node.swim.explain("b") is None


def test_user_messages_go_to_the_delegate() -> None:
    node = Harness("a")
    node.hear(UserMessage(b"payload"))
    assert node.take(UserMessageReceived) == [UserMessageReceived(b"payload", SOURCE)]


def test_a_ping_by_a_stream() -> None:
    node = Harness("a")
    assert node.swim.answer_stream_ping(Ping(3, "self")) == Ack(3)
    assert node.swim.answer_stream_ping(Ping(3, "other")) is None


def test_udp_is_tested_in_both_directions() -> None:
    node = Harness("a")
    node.effects += node.swim.test_udp(address_of("a"), node.now)
    [(_, ping), (_, request)] = node.sent()
    assert isinstance(ping, Ping)
    assert isinstance(request, IndirectPing)
    assert (ping.node, request.node) == ("", "self")
    assert Address(request.target, request.port) == SELF
    node.hear(Ack(ping.seq_no))
    assert node.take(UdpTested) == []
    node.hear(Ack(request.seq_no))
    [result] = node.take(UdpTested)
    assert result == UdpTested(address_of("a"), reaches_peer=True, reaches_us=True)


def test_what_is_sent_to_strangers_carries_no_news() -> None:
    """A joiner tests UDP before it joins: news have few transmissions, and would not reach the members if it got them."""
    node = Harness("a")
    node.hear(alive("b"))  # to be broadcast
    node.take(SendPacket)
    stranger = address_of("joiner")
    node.hear(
        Ping(1, "", stranger.ip, stranger.port, "joiner"),
        IndirectPing(2, stranger.ip, stranger.port, "joiner", False, stranger.ip, stranger.port, "joiner"),
    )
    [ack, ping] = node.take(SendPacket)
    assert (ack.messages, ack.broadcasts, ping.broadcasts) == ((Ack(1),), (), ())
    [sent] = ping.messages
    assert isinstance(sent, Ping)
    node.hear(Ack(sent.seq_no))
    [relayed] = node.take(SendPacket)
    assert (relayed.messages, relayed.broadcasts) == ((Ack(2),), ())
    node.hear(Ping(3, "", stranger.ip, stranger.port, "a"))
    assert [len(packet.broadcasts) for packet in node.take(SendPacket)] == [1]


def test_a_test_of_udp_asks_three_times() -> None:
    node = Harness("a", settings=with_settings(probe_interval_s=1000.0))
    node.effects += node.swim.test_udp(address_of("a"), node.now)
    [(_, ping), _] = node.sent()
    assert isinstance(ping, Ping)
    node.hear(Ack(ping.seq_no))
    node.run_for(1.49)
    assert [type(message) for _, message in node.sent()] == [IndirectPing] * 2
    node.run_for(0.02)
    [result] = node.take(UdpTested)
    assert (result.reaches_peer, result.reaches_us) == (True, False)


def test_the_end_of_a_member_is_explained_until_it_is_back() -> None:
    node = Harness("a", "b", "c", "d")
    node.hear(Suspect(1, "a", "b"), Suspect(1, "a", "c"), Dead(1, "a", "d"))
    explanation = node.swim.explain("a")
    assert explanation is not None
    assert (explanation.contact.declared_dead_by, explanation.accusers) == ("d", ("b", "c"))
    node.hear(alive("a", 2))
    explanation = node.swim.explain("a")
    assert explanation is not None
    assert (explanation.contact.declared_dead_by, explanation.accusers) == ("", ())
