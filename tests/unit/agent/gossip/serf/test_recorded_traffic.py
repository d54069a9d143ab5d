"""All recorded packets and streams, real and hostile ones, through one Serf: it lives on and learns what they say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.gossip import VirtualPool
from support.gossip_vectors import FOLDER, Vector, load

from pyconsul.agent.gossip.serf.effects import LogLine, QueryReceived, UserEventReceived
from pyconsul.agent.gossip.wire.encryption import Keyring
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.messages import Ack, PushPull, UserMessage
from pyconsul.agent.gossip.wire.packet import Framing, decode_packet
from pyconsul.agent.gossip.wire.stream import StreamDecoder
from pyconsul.agent.model.member import MemberStatus

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the recorded vectors are not there: {FOLDER}")


def vectors(*, hostile: bool) -> Iterator[Vector]:
    for path in sorted(FOLDER.glob("*.yaml")):
        if (path.stem == "hostile") is hostile:
            yield from load(path)


def messages(vector: Vector) -> Iterator[object]:
    keyring = Keyring(vector.keys) if vector.keys else None
    framing = Framing(random_bytes=bytes, label=vector.label, keyring=keyring)
    try:
        if vector.transport == "udp":
            yield from decode_packet(vector.data, framing).messages
        else:
            decoder = StreamDecoder(framing, is_answer=vector.transport == "tcp-answer")
            decoder.feed(vector.data)
            yield decoder.finish()
    except DecodeError:
        return


def play(pool: VirtualPool, found: Iterator[Vector]) -> int:
    """Give an agent everything that its driver would; returns the number of messages for Serf."""
    agent, count = pool["me"], 0
    for vector in found:
        for message in messages(vector):
            pool.now += 0.01
            count += 1
            if isinstance(message, UserMessage):
                agent.carry_out(agent.serf.receive(message.payload, pool.now))
            elif isinstance(message, PushPull):
                for node in message.nodes:
                    agent.carry_out(agent.serf.node_up(node, pool.now))
                agent.carry_out(agent.serf.merge_state(message.user_state, pool.now, join=message.join))
            elif isinstance(message, Ack):
                agent.carry_out(agent.serf.probe_acknowledged("peer", 0.01, message.payload or b""))
            else:
                count -= 1
    return count


def test_real_traffic_is_understood() -> None:
    pool = VirtualPool("me", ignore_old_events_on_join=False)
    agent = pool["me"]
    agent.serf.queries.keyring = (bytes(32),)
    assert play(pool, vectors(hostile=False)) > 100
    lines = [effect.text for effect in agent.delivered if isinstance(effect, LogLine)]
    assert all("unsupported serf message type" in line for line in lines)  # memberlist's own tests send plain texts
    events = {effect.name for effect in agent.delivered if isinstance(effect, UserEventReceived)}
    assert {"deploy", "restart", "from-peer", "consul:event:deploy", "consul:new-leader"} <= events
    assert "load" in {effect.query.name for effect in agent.delivered if isinstance(effect, QueryReceived)}
    installed = bytes.fromhex("6465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283")
    assert installed in agent.serf.queries.keyring
    tags = {member.name: member.tags for member in agent.serf.members}
    assert tags["s1"]["role"] == "consul"
    assert tags["c1"]["role"] == "node"
    assert tags["reconnect"]["rc_tm"] == "24h0m0s"
    assert agent.status("me") is MemberStatus.ALIVE


def test_hostile_traffic_is_survived() -> None:
    pool = VirtualPool("me")
    agent = pool["me"]
    assert play(pool, vectors(hostile=True)) > 5
    pool.wait(100.0)
    assert agent.status("me") is MemberStatus.ALIVE
    _, effects = agent.serf.events.fire("still-alive", b"", coalesce=False)
    agent.carry_out(effects)
    assert [effect.name for effect in agent.take(UserEventReceived)][-1] == "still-alive"
