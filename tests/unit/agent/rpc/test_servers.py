"""The servers that gossip knows, as requests find them."""

from __future__ import annotations

import msgspec
import pytest
from support.scripted_pool import FAILED, LEAVING, LEFT, ScriptedPool, client, server

from pyconsul.agent.gossip.serf.effects import MemberChanged, UserEventReceived
from pyconsul.agent.model.member import Member, MemberEvent
from pyconsul.agent.rpc.servers import GossipServers


def change(pool: ScriptedPool, event: MemberEvent, member: Member) -> None:
    pool.known[member.name] = member
    pool.publish(MemberChanged(event, member))


def names(servers: GossipServers) -> list[str]:
    return sorted(one.name for one in servers.all())


@pytest.fixture
def pool() -> ScriptedPool:
    return ScriptedPool(server("s1"), server("s2", address="10.0.0.2"), client("web1"), server("s3", status=FAILED))


def test_the_servers_that_are_alive(pool: ScriptedPool) -> None:
    servers = GossipServers(pool, "dc1")
    assert names(servers) == ["s1", "s2"]
    found = servers.find("id-s2")
    assert found is not None
    assert (found.name, found.address, found.port, found.datacenter) == ("s2", "10.0.0.2", 8300, "dc1")
    assert servers.find("id-s3") is servers.find("id-web1") is None


def test_changes_of_servers_are_published_and_nothing_else(pool: ScriptedPool) -> None:
    servers, calls = GossipServers(pool, "dc1"), []
    end = servers.subscribe(lambda: calls.append(names(servers)))
    change(pool, MemberEvent.JOIN, server("s3", address="10.0.0.3"))
    change(pool, MemberEvent.UPDATE, server("s3", address="10.0.0.9"))
    change(pool, MemberEvent.UPDATE, server("s3", address="10.0.0.9"))  # the same
    change(pool, MemberEvent.JOIN, client("web2"))
    pool.publish(UserEventReceived(7, "deploy", b"", False))
    assert calls == [["s1", "s2", "s3"]] * 2
    assert servers.find("id-s3") == msgspec.structs.replace(servers.find("id-s3"), address="10.0.0.9")  # type: ignore[type-var]
    change(pool, MemberEvent.FAILED, server("s3", status=FAILED))
    change(pool, MemberEvent.REAP, server("s3", status=FAILED))
    assert calls[2:] == [["s1", "s2"]]
    end()
    end()
    change(pool, MemberEvent.LEAVE, server("s2", status=LEFT))
    assert len(calls) == 3
    assert names(servers) == ["s1"]
    servers.close()
    change(pool, MemberEvent.JOIN, server("s2"))
    assert names(servers) == ["s1"]


def test_a_server_that_leaves_is_not_asked_any_more(pool: ScriptedPool) -> None:
    servers = GossipServers(pool, "dc1")
    change(pool, MemberEvent.UPDATE, server("s2", status=LEAVING))
    assert names(servers) == ["s1"]


def test_servers_of_other_datacenters_and_faulty_ones_are_left_out(pool: ScriptedPool) -> None:
    servers = GossipServers(pool, "dc1")
    member = server("s4")
    for tags in ({**member.tags, "dc": "dc2"}, {**member.tags, "port": "x"}, {**member.tags, "id": ""}):
        change(pool, MemberEvent.JOIN, msgspec.structs.replace(member, tags=tags))
    assert names(servers) == ["s1", "s2"]


def test_a_renamed_server_is_found_by_its_node_id(pool: ScriptedPool) -> None:
    servers = GossipServers(pool, "dc1")
    change(pool, MemberEvent.FAILED, server("s2", status=FAILED))
    change(pool, MemberEvent.JOIN, server("renamed", "id-s2", address="10.0.0.7"))
    found = servers.find("id-s2")
    assert found is not None
    assert found.name == "renamed"


def test_a_copy_of_a_server_counts_only_once_that_one_is_gone(pool: ScriptedPool) -> None:
    servers = GossipServers(pool, "dc1")
    before = servers.find("id-s2")
    change(pool, MemberEvent.JOIN, server("copy", "id-s2", address="10.0.0.7"))
    assert servers.find("id-s2") == before
    change(pool, MemberEvent.UPDATE, server("s2", address="10.0.0.8"))
    found = servers.find("id-s2")
    assert found is not None
    assert found.address == "10.0.0.8"
    change(pool, MemberEvent.FAILED, server("s2", status=FAILED))
    found = servers.find("id-s2")
    assert found is not None
    assert found.name == "copy"
