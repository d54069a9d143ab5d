"""The graceful leave: each stage ends by its event or by its deadline, and in this order."""

from __future__ import annotations

import math

from pyconsul.agent.gossip.serf.effects import LeaveMembership, LeftPool
from pyconsul.agent.gossip.serf.leaving import LeaveState, Leaving
from pyconsul.agent.gossip.serf.settings import SerfSettings


def leaving() -> Leaving:
    return Leaving(SerfSettings(node_name="me"))


def test_a_leave_by_its_events() -> None:
    leave = leaving()
    assert not leave.is_leaving
    assert leave.start(10.0, has_peers=True) == ()
    assert leave.is_leaving
    assert leave.start(10.1, has_peers=True) == ()  # a second request changes nothing
    assert leave.intent_sent(11.0) == (LeaveMembership(),)
    assert leave.membership_left(12.0) == ()
    assert leave.deadline == 15.0  # LeavePropagateDelay of Consul
    assert leave.tick(14.9) == ()
    assert leave.tick(15.0) == (LeftPool(),)
    assert leave.deadline == math.inf
    assert leave.tick(99.0) == ()
    assert leave.state is LeaveState.LEFT


def test_a_leave_by_its_deadlines() -> None:
    leave = leaving()
    leave.start(10.0, has_peers=True)
    assert leave.tick(14.9) == ()
    assert leave.tick(15.0) == (LeaveMembership(),)
    assert leave.tick(19.9) == ()
    assert leave.tick(20.0) == ()
    assert leave.state is LeaveState.PROPAGATING
    assert leave.tick(23.0) == (LeftPool(),)


def test_an_agent_that_is_alone_leaves_at_once() -> None:
    leave = leaving()
    assert leave.start(10.0, has_peers=False) == (LeaveMembership(),)
    assert leave.membership_left(10.0) == (LeftPool(),)


def test_events_out_of_order_are_ignored() -> None:
    leave = leaving()
    assert leave.intent_sent(1.0) == ()
    assert leave.membership_left(1.0) == ()
    leave.start(10.0, has_peers=True)
    assert leave.membership_left(11.0) == ()
    assert leave.intent_sent(12.0) == (LeaveMembership(),)
    assert leave.intent_sent(12.0) == ()
