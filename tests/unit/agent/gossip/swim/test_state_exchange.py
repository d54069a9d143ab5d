"""Push/pulls of one node: when they begin, and how the other half is merged (PROTOCOL, section 7)."""

from __future__ import annotations

import pytest
from support.swim_node import VERSIONS, Harness, address_of, alive, with_settings

from pyconsul.agent.gossip.swim.effects import (
    ExchangeState,
    UserStateReceived,
)
from pyconsul.agent.gossip.swim.member import MemberState
from pyconsul.agent.gossip.swim.push_pull import MergeRefused
from pyconsul.agent.gossip.wire.messages import (
    Dead,
    PushPull,
    PushPullNode,
)

SELF = address_of("self")


def test_push_pulls_come_every_interval() -> None:
    node = Harness("a", settings=with_settings(probe_interval_s=1000.0))
    node.run_for(59.999)
    assert len(node.take(ExchangeState)) == 1
    node.run_for(30)
    [exchange] = node.take(ExchangeState)
    assert (exchange.member.name, exchange.join) == ("a", False)


def test_many_joins_are_followed_by_a_push_pull() -> None:
    node = Harness(settings=with_settings(probe_interval_s=1000.0))
    for index in range(10):
        node.hear(alive(f"new-{index}"))
    node.run_for(1)
    assert len(node.take(ExchangeState)) == 1


def remote(name: str, state: int, incarnation: int = 1, versions: bytes = VERSIONS) -> PushPullNode:
    address = address_of(name)
    return PushPullNode(name, address.ip, address.port, b"", incarnation, state, versions)


def test_a_merge_suspects_the_dead_and_believes_the_left() -> None:
    node = Harness("dead", "suspect", "left")
    message = PushPull(True, (remote("new", 0), remote("dead", 2), remote("suspect", 1), remote("left", 3)), b"state")
    node.effects += node.swim.merge(message, node.now)
    states = {name: node.state_of(name) for name in ("new", "dead", "suspect", "left")}
    assert states == {
        "new": MemberState.ALIVE,
        "dead": MemberState.SUSPECT,
        "suspect": MemberState.SUSPECT,
        "left": MemberState.LEFT,
    }
    explanation = node.swim.explain("dead")
    assert explanation is not None
    assert explanation.accusers == ("self",)
    assert node.take(UserStateReceived) == [UserStateReceived(b"state", True)]


def test_the_own_half_of_a_push_pull_lists_all() -> None:
    node = Harness("a", "b")
    node.hear(Dead(1, "b", "a"))
    message = node.swim.push_pull(join=True, user_state=b"state")
    assert [(one.name, one.state) for one in message.nodes] == [("self", 0), ("a", 0), ("b", 2)]
    assert (message.join, message.user_state) == (True, b"state")


@pytest.mark.parametrize(
    "versions",
    [bytes((7, 9, 8, 2, 5, 4)), bytes((1, 5, 2, 6, 8, 7)), bytes((1, 2, 3, 2, 5, 4))],
    ids=["newer", "delegate", "odd"],
)
def test_a_pool_with_another_protocol_is_not_merged(versions: bytes) -> None:
    node = Harness("a")
    with pytest.raises(MergeRefused, match="version"):
        node.swim.merge(PushPull(True, (remote("alien", 0, versions=versions), remote("b", 0))), node.now)
    assert len(node.swim.members) == 2


@pytest.mark.parametrize(("join", "members"), [(True, 1), (False, 2)])
def test_an_invalid_member_fails_a_join_and_is_left_out_otherwise(join: bool, members: int) -> None:
    node = Harness()
    message = PushPull(join, (remote("good", 0), PushPullNode("bad", b"abc", 1, b"", 1, 0, VERSIONS)))
    if join:
        with pytest.raises(MergeRefused, match="the address has 3 bytes"):
            node.swim.merge(message, node.now)
    else:
        node.swim.merge(message, node.now)
    assert len(node.swim.members) == members


def test_port_zero_is_the_own_port() -> None:
    node = Harness()
    node.swim.merge(PushPull(False, (PushPullNode("a", b"\x0a\0\0\1", 0, b"", 1, 0, VERSIONS),)), node.now)
    member = node.swim.members.get("a")
    assert member is not None
    assert member.port == SELF.port
