"""An agent without gossip is the only member of its pool."""

from __future__ import annotations

import asyncio
from base64 import b64encode

import pytest

from pyconsul.agent.gossip.alone import Alone
from pyconsul.agent.gossip.membership import Membership, PoolEvent
from pyconsul.agent.gossip.serf.effects import MemberChanged, UserEventReceived
from pyconsul.agent.gossip.serf.events import EventTooLarge
from pyconsul.agent.model.member import Member, MemberEvent, MemberStatus, UnknownMember


def pool() -> tuple[Membership, list[PoolEvent]]:
    alone = Alone(Member("n1", "127.0.0.1", 0, {"role": "consul"}, MemberStatus.ALIVE))
    heard: list[PoolEvent] = []
    alone.subscribe(heard.append)
    return alone, heard


def test_the_agent_is_its_only_member() -> None:
    alone, _ = pool()
    assert alone.members() == (alone.local,)
    assert alone.explain("n1").member.status is MemberStatus.ALIVE
    alone.force_leave("n1")
    with pytest.raises(UnknownMember):
        alone.force_leave("n2")
    with pytest.raises(UnknownMember):
        alone.explain("n2")


def test_no_address_can_be_joined() -> None:
    alone, _ = pool()
    result = asyncio.run(alone.join(["10.0.0.1", "10.0.0.2"]))
    assert result.contacted == 0
    assert [failure.address for failure in result.failures] == ["10.0.0.1", "10.0.0.2"]
    assert "ports.serf_lan" in result.failures[0].reason


def test_it_hears_its_own_events_in_the_order_of_their_times() -> None:
    alone, heard = pool()
    times = [alone.fire("deploy", b"1"), alone.fire("deploy", b"2")]
    assert times[0] < times[1]
    assert [(event.time, event.payload) for event in heard if isinstance(event, UserEventReceived)] == [
        (times[0], b"1"),
        (times[1], b"2"),
    ]
    with pytest.raises(EventTooLarge):
        alone.fire("deploy", b"x" * 600)


def test_a_change_of_its_tags_is_published_once() -> None:
    alone, heard = pool()
    alone.set_tags({"role": "node"})
    alone.set_tags({"role": "node"})
    assert heard == [MemberChanged(MemberEvent.UPDATE, alone.local)]
    assert alone.local.tags == {"role": "node"}


def test_a_listener_can_stop_listening() -> None:
    alone, _ = pool()
    heard: list[PoolEvent] = []
    stop = alone.subscribe(heard.append)
    stop()
    alone.fire("deploy", b"")
    assert heard == []


def test_there_are_no_keys() -> None:
    alone, _ = pool()
    key = b64encode(bytes(16)).decode()
    assert not alone.keyring.is_encrypted

    async def reports() -> list[str]:
        keyring = alone.keyring
        made = [await keyring.list(), await keyring.install(key), await keyring.use(key), await keyring.remove(key)]
        assert [report.error for report in made] == ["1/1 nodes reported failure"] * 4
        return [report.messages["n1"] for report in made]

    nothing = "No keyring to modify (encryption not enabled)"
    assert asyncio.run(reports()) == ["Keyring is empty (encryption not enabled)", nothing, nothing, nothing]
    with pytest.raises(ValueError, match="illegal base64"):
        asyncio.run(alone.keyring.install("???"))


def test_only_this_agent_has_a_coordinate() -> None:
    alone, _ = pool()
    assert alone.coordinate_of("n1") == alone.coordinate
    assert alone.coordinate_of("n2") is None


def test_the_figures_count_one_member() -> None:
    alone, _ = pool()
    alone.fire("deploy", b"")
    stats = alone.stats()
    assert (stats["members"], stats["failed"], stats["encrypted"]) == ("1", "0", "false")
    assert int(stats["event_time"]) > int(stats["member_time"])
