"""Wall clocks of members, compared by probes."""

from __future__ import annotations

import math
import random

import pytest

from pyconsul.agent.gossip.explain import explain
from pyconsul.agent.gossip.serf.effects import LogLine
from pyconsul.agent.gossip.serf.serf import Serf
from pyconsul.agent.gossip.serf.settings import SerfSettings
from pyconsul.agent.gossip.wire.serf_payloads import decode_coordinate
from pyconsul.agent.model.member import Member, MemberStatus

RTT_S = 0.2


def serf(wall_clock: float | None) -> Serf:
    clock = None if wall_clock is None else lambda: wall_clock
    return Serf(SerfSettings(node_name="a"), random.Random(1), 0.0, wall_clock=clock)


@pytest.mark.parametrize(("theirs", "words"), [(1042.0, "42.1 s ahead of"), (990.0, "9.9 s behind")])
def test_a_difference_is_logged_once_and_explained(theirs: float, words: str) -> None:
    ours, peer = serf(1000.0), serf(theirs)
    text = f"its clock is {words} this agent's"
    assert ours.probe_acknowledged("b", RTT_S, peer.ack_payload()) == (
        LogLine("clock", f"clocks differ: member=b {text}"),
    )
    assert ours.probe_acknowledged("b", RTT_S, peer.ack_payload()) == ()
    member = Member("b", "10.0.0.2", 8301, {}, MemberStatus.ALIVE)
    explained = explain(member, None, 0.0, clock_offset_s=ours.wall_clocks.offset("b"))
    assert text in explained.reasons
    assert explained.clock_offset_s == ours.wall_clocks.offset("b")


def test_equal_clocks_are_no_reason() -> None:
    ours = serf(1000.0)
    assert ours.probe_acknowledged("b", RTT_S, serf(1000.5).ack_payload()) == ()
    offset = ours.wall_clocks.offset("b")
    assert offset == pytest.approx(0.6)
    member = Member("b", "10.0.0.2", 8301, {}, MemberStatus.ALIVE)
    assert not [reason for reason in explain(member, None, 0.0, clock_offset_s=offset).reasons if "clock" in reason]


@pytest.mark.parametrize("theirs", [None, math.nan, math.inf])
def test_members_that_send_no_clock_are_not_compared(theirs: float | None) -> None:
    ours = serf(1000.0)
    assert ours.probe_acknowledged("b", RTT_S, serf(theirs).ack_payload()) == ()
    assert ours.wall_clocks.offset("b") is None


def test_an_ack_carries_the_present_time() -> None:
    now = [5.0]
    sender = Serf(SerfSettings(node_name="a"), random.Random(1), 0.0, wall_clock=lambda: now[0])
    assert decode_coordinate(sender.ack_payload()).wall_clock == 5.0
    now[0] = 6.5
    assert decode_coordinate(sender.ack_payload()).wall_clock == 6.5
    assert decode_coordinate(serf(None).ack_payload()).wall_clock is None
