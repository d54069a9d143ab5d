"""The sentences that explain a member's status."""

from __future__ import annotations

import pytest
from support.gossip import member
from support.gossip_network import Network

from pyconsul.agent.gossip.explain import explain
from pyconsul.agent.gossip.swim.contacts import Contact
from pyconsul.agent.gossip.swim.member import Member, MemberState
from pyconsul.agent.gossip.swim.node import Explanation as Evidence
from pyconsul.agent.gossip.wire.messages import Address
from pyconsul.agent.model.member import MemberStatus, UnknownMember

NODE = Member("b", Address(bytes([10, 0, 0, 2]), 8301), b"", bytes(6), 1, MemberState.ALIVE, 0.0)


def reasons(status: MemberStatus, evidence: Evidence | None, **options: int) -> tuple[str, ...]:
    return explain(member("b", status=status), evidence, 100.0, **options).reasons


def evidence(contact: Contact, *accusers: str, ends_at: float | None = None) -> Evidence:
    return Evidence(NODE, contact, accusers, ends_at)


def test_an_alive_member() -> None:
    found = explain(member("b"), evidence(Contact(last_ack_at=99.5)), 100.0)
    assert found.reasons == ("it is alive", "last acknowledged a probe of this agent 0.5 s ago")
    assert (found.last_ack_s, found.last_tcp_ack_s, found.missed_probes, found.fails_in_s) == (0.5, None, 0, None)
    assert reasons(MemberStatus.ALIVE, evidence(Contact())) == (
        "it is alive",
        "never acknowledged a probe of this agent",
    )


def test_a_suspected_member() -> None:
    found = explain(member("b"), evidence(Contact(last_ack_at=90.0, missed_probes=3), "a", "c", ends_at=104.0), 100.0)
    assert found.reasons == (
        "suspected by a, c; fails in 4.0 s unless it refutes",
        "3 probes in a row of this agent went unanswered",
        "last acknowledged a probe of this agent 10.0 s ago",
    )
    assert (found.accusers, found.fails_in_s) == (("a", "c"), 4.0)


def test_a_failed_member() -> None:
    contact = Contact(declared_dead_by="d", missed_probes=1)
    names = tuple("abcdefg")
    assert reasons(MemberStatus.FAILED, evidence(contact, *names)) == (
        "declared dead by d (suspected by a, b, c, d, e and 2 more)",
        "1 probe of this agent went unanswered",
        "never acknowledged a probe of this agent",
    )
    assert reasons(MemberStatus.FAILED, evidence(contact))[0] == "declared dead by d"
    assert reasons(MemberStatus.FAILED, None)[:2] == (
        "declared dead",
        "it is gone for so long that no details are kept",
    )


def test_members_that_leave() -> None:
    assert reasons(MemberStatus.LEAVING, evidence(Contact()))[0] == "it announced that it leaves"
    assert reasons(MemberStatus.LEFT, None)[0] == "it left, or an operator forced it to leave"


def test_blocked_udp() -> None:
    contact = Contact(last_ack_at=50.0, last_stream_ack_at=99.0)
    assert reasons(MemberStatus.ALIVE, evidence(contact))[1].startswith("UDP is blocked, TCP works")
    contact = Contact(last_ack_at=99.5, last_stream_ack_at=99.0)
    assert not any("UDP" in reason for reason in reasons(MemberStatus.ALIVE, evidence(contact)))


@pytest.mark.parametrize(("packets", "text"), [(1, "1 packet from"), (7, "7 packets from")])
def test_another_key(packets: int, text: str) -> None:
    found = reasons(MemberStatus.FAILED, None, undecryptable_packets=packets)[-1]
    assert found.startswith(text)
    assert "another gossip key" in found


def test_a_pool_explains_its_members() -> None:
    network = Network()
    agents = [network.start(name, f"10.0.0.{number}") for number, name in enumerate("abc", 1)]
    for agent in agents[1:]:
        network.join(agent, agents[0])
    network.run(5.0)
    agents[2].is_up = False
    network.run_until(lambda: agents[0].statuses()["c"] is MemberStatus.FAILED, 15.0)
    found = agents[0].pool.explain("c", network.now)
    assert found.reasons[0].startswith("declared dead by ")
    assert found.last_ack_s is not None
    with pytest.raises(UnknownMember):
        agents[0].pool.explain("nobody", network.now)
