"""Several pools in one process, on real sockets."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import socket
import struct
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.eventually import eventually_async
from support.gossip_pools import FAST, PoolAgent, Pools
from support.ports import free_port

from pyconsul.agent.gossip.consul.admission import LanAdmission
from pyconsul.agent.gossip.driver import pool as driver_pool
from pyconsul.agent.gossip.driver.frames import Frames
from pyconsul.agent.gossip.driver.opening import VERSIONS, open_pool
from pyconsul.agent.gossip.driver.streams import StreamClient, StreamCodec
from pyconsul.agent.gossip.pool import QUEUE_SLACK
from pyconsul.agent.gossip.serf.effects import MemberChanged, UserEventReceived
from pyconsul.agent.gossip.serf.settings import MIN_QUEUE_DEPTH
from pyconsul.agent.gossip.settings import PoolError
from pyconsul.agent.gossip.swim.settings import CONSUL_LAN
from pyconsul.agent.gossip.wire.encryption import Keyring
from pyconsul.agent.gossip.wire.messages import (
    STATE_ALIVE,
    Address,
    Ping,
    PushPull,
    PushPullNode,
    UserMessage,
    encode_message,
)
from pyconsul.agent.gossip.wire.packet import Framing, encode_packet
from pyconsul.agent.gossip.wire.serf_messages import UserEvent, encode_serf_message
from pyconsul.agent.model.member import MemberEvent, MemberStatus, UnknownMember

JOINERS = 30
FLOOD = 8000  # events


def text(key: bytes) -> str:
    return b64encode(key).decode()


def events_of(agent: PoolAgent) -> list[str]:
    return [event.name for event in agent.events if isinstance(event, UserEventReceived)]


async def hears(agent: PoolAgent, event: str) -> None:
    await eventually_async(lambda: event in events_of(agent))


async def test_members_join_hear_events_and_leave(pools: Pools) -> None:
    one = await pools.open("one", 1)
    two = await pools.open("two", 2, join=one)
    three = await pools.open("three", 3, join=two)
    for agent in (one, two, three):
        await agent.knows("one", "two", "three")
    time = three.pool.fire("deploy", b"v1")
    for agent in (one, two, three):
        await hears(agent, "deploy")
        assert UserEventReceived(time, "deploy", b"v1", False) in agent.events
    await pools.leave(three)
    await one.sees(three=MemberStatus.LEFT)
    await two.sees(three=MemberStatus.LEFT)
    changes = [(event.event, event.member.name) for event in one.events if isinstance(event, MemberChanged)]
    assert changes == [
        (MemberEvent.JOIN, "two"),
        (MemberEvent.JOIN, "three"),
        (MemberEvent.LEAVE, "three"),
    ]


async def test_a_member_that_is_killed_fails_with_a_reason(pools: Pools, caplog: pytest.LogCaptureFixture) -> None:
    one = await pools.open("one", 1)
    two = await pools.open("two", 2, join=one)
    await pools.close(two)
    await one.sees(two=MemberStatus.FAILED)
    reasons = one.pool.explain("two").reasons
    assert reasons[0].startswith("declared dead by one"), reasons
    assert any("went unanswered" in reason for reason in reasons), reasons
    [line] = [record.getMessage() for record in caplog.records if record.getMessage().startswith("member failed")]
    assert "pool=lan member=two address=127.0.0.2:" in line
    assert "declared dead by one" in line
    with pytest.raises(UnknownMember):
        one.pool.force_leave("nobody")
    one.pool.force_leave("two")
    await one.sees(two=MemberStatus.LEFT)
    one.pool.force_leave("two", prune=True)
    await eventually_async(lambda: set(one.statuses()) == {"one"})


async def test_many_that_join_at_once_know_each_other_without_the_regular_push_pull(pools: Pools) -> None:
    swim = replace(CONSUL_LAN, push_pull_interval_s=3600.0)
    agents = [await pools.open(f"n{number}", number, swim=swim) for number in range(1, JOINERS + 1)]
    results = await asyncio.gather(*(agent.pool.join([agents[0].address]) for agent in agents[1:]))
    assert all((result.contacted, result.failures, result.without_udp) == (1, (), ()) for result in results)
    names = {f"n{number}" for number in range(1, JOINERS + 1)}
    for agent in agents:
        await agent.knows(*names)


async def test_a_member_that_restarts_joins_again_by_itself_and_hears_no_event_twice(
    pools: Pools, tmp_path: Path
) -> None:
    one = await pools.open("one", 1)
    two = await pools.open("two", 2, join=one, folder=tmp_path)
    one.pool.fire("before", b"")
    await hears(two, "before")
    await pools.close(two)  # what has happened is in the snapshot file
    await one.sees(two=MemberStatus.FAILED)
    one.pool.fire("meanwhile", b"")
    again = await pools.open("two", 2, folder=tmp_path)
    await again.knows("one", "two")
    await one.sees(two=MemberStatus.ALIVE)
    one.pool.fire("after", b"")
    await hears(again, "after")
    assert "before" not in events_of(again)


async def test_a_member_that_restarts_before_all_others_joins_them_later(
    pools: Pools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_pool, "REJOIN_DELAYS_S", (0.05,) * 1000)
    one = await pools.open("one", 1)
    two = await pools.open("two", 2, join=one, folder=tmp_path)
    await one.knows("one", "two")
    await pools.close(two)
    await pools.close(one)
    two = await pools.open("two", 2, folder=tmp_path)
    await asyncio.sleep(0.1)  # a first attempt fails
    one = await pools.open("one", 1)
    await two.knows("one", "two")
    await one.knows("one", "two")


@pytest.mark.parametrize("rejoins", [False, True])
async def test_a_member_that_has_left_joins_again_only_if_it_is_told_to(
    rejoins: bool, pools: Pools, tmp_path: Path
) -> None:
    one = await pools.open("one", 1)
    two = await pools.open("two", 2, join=one, folder=tmp_path)
    await one.knows("one", "two")
    await pools.leave(two)
    assert ("alive: one" in (tmp_path / "local.snapshot").read_text()) or not rejoins
    again = await pools.open("two", 2, folder=tmp_path, rejoin_after_leave=rejoins)
    if rejoins:
        await again.knows("one", "two")
    else:
        assert again.alive() == {"two"}
        assert await again.pool.join([one.address])  # a join by hand would succeed
        await again.knows("one", "two")


async def test_keys_are_rotated_and_kept(pools: Pools, tmp_path: Path) -> None:
    old, new = os.urandom(16), os.urandom(32)
    one = await pools.open("one", 1, keys=(old,), folder=tmp_path)
    two = await pools.open("two", 2, keys=(old,), join=one)
    await one.knows("one", "two")
    keyring = one.pool.keyring
    assert keyring.is_encrypted
    reports = [
        await keyring.install(text(new)),
        await keyring.use(text(new)),
        await keyring.remove(text(old)),
    ]
    assert [report.error for report in reports] == ["", "", ""]
    report = await two.pool.keyring.list()
    assert (report.keys, report.primary_keys) == ({text(new): 2}, {text(new): 2})
    assert keyring.keys == two.pool.keyring.keys == (new,)
    file = tmp_path / "local.keyring"
    assert json.loads(file.read_text()) == [text(new)]
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match="illegal base64"):
        await keyring.use("?")
    # The file takes precedence over the key that is configured.
    await pools.close(one)
    again = await pools.open("one", 1, keys=(old,), folder=tmp_path)
    assert (await again.pool.join([two.address])).contacted == 1


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        pytest.param((), "Remote state is encrypted and encryption is not configured", id="no key"),
        pytest.param((bytes(16),), "No installed keys could decrypt the message", id="another key"),
    ],
)
async def test_a_join_with_a_wrong_key_fails(keys: tuple[bytes, ...], reason: str, pools: Pools) -> None:
    one = await pools.open("one", 1, keys=(b"k" * 16,))
    other = await pools.open("other", 2, keys=keys)
    result = await other.pool.join([one.address])
    assert result.contacted == 0
    assert [failure.text for failure in result.failures] == [f"Failed to join {one.address}: {reason}"]
    assert one.alive() == {"one"}


async def test_what_cannot_be_joined_is_told_in_consul_s_words(pools: Pools) -> None:
    one = await pools.open("one", 1)
    two = await pools.open("two", 2)
    result = await one.pool.join(
        ["127.0.0.99", "name.invalid", "", "[::1", two.address, f"two/{two.address}", "127.0.0.1"]
    )
    assert [failure.text for failure in result.failures] == [
        "Failed to resolve name.invalid: lookup name.invalid: no such host",
        "Failed to resolve : lookup : no such host",
        "Failed to resolve [::1: address [::1: missing ']' in address",
        f"Failed to join 127.0.0.99:{pools.port}: dial tcp 127.0.0.99:{pools.port}: connect: connection refused",
    ]
    assert (result.contacted, result.contacted_self) == (2, 1)


async def test_a_member_whose_packets_cannot_be_decrypted_is_explained_by_that(pools: Pools) -> None:
    one = await pools.open("one", 1, keys=(b"k" * 16,))
    two = await pools.open("two", 2, keys=(b"k" * 16,), join=one)
    await one.knows("one", "two")
    await pools.close(two)
    stranger = Framing(random_bytes=os.urandom, keyring=Keyring([b"x" * 16]), compression=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.2", pools.port))
        for number in range(3):
            udp.sendto(
                encode_packet([encode_message(Ping(number, "one"))], stranger, crc=False), ("127.0.0.1", pools.port)
            )
    text = "3 packets from its address could not be decrypted: it may use another gossip key"
    await eventually_async(lambda: text in one.pool.explain("two").reasons)


async def test_garbage_costs_a_counted_and_limited_line(pools: Pools, caplog: pytest.LogCaptureFixture) -> None:
    one = await pools.open("one", 1, keys=(b"k" * 16,))
    two = await pools.open("two", 2, keys=(b"k" * 16,), join=one)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.66", 0))
        for number in range(2000):
            udp.sendto(os.urandom(number % 1400), ("127.0.0.1", pools.port))
            if number % 100 == 0:
                await asyncio.sleep(0)
    for number in range(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", pools.port)
        writer.write(os.urandom(number + 1))
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
    two.pool.fire("deploy", b"")
    await hears(one, "deploy")
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert 2 <= len(lines) <= 10, lines
    assert any("source=127.0.0.66:" in line for line in lines)
    assert one.alive() == {"one", "two"}


async def test_a_stream_with_a_wrong_frame_is_answered_with_the_reason(pools: Pools) -> None:
    await pools.open("one", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", pools.port)
    writer.write(
        b"\x0a" + struct.pack(">I", 45) + bytes(45)
    )  # encrypted, and longer than what was read before the answer
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert b"Remote state is encrypted" in answer or answer[:1] == b"\x09"


async def test_addresses_outside_the_allowed_networks_are_not_heard(pools: Pools) -> None:
    admission = LanAdmission(
        datacenter="dc1", node_name="one", node_id="", allowed=[ip_network("127.0.0.0/30"), ip_network("10.0.0.0/8")]
    )
    one = await pools.open("one", 1, admission=admission)
    near = await pools.open("near", 2, join=one)
    far = await pools.open("far", 77)
    await far.pool.join([one.address])
    await near.pool.join([one.address])
    near.pool.fire("deploy", b"")
    await hears(one, "deploy")
    assert one.alive() == {"one", "near"}


async def test_a_peer_that_only_tcp_reaches_is_found_out(pools: Pools) -> None:
    """127.0.0.9 passes TCP on, and nothing else: the join says so, and so does the explanation of the member."""
    swim = replace(FAST, probe_interval_s=0.3)
    one = await pools.open("one", 1, swim=swim)
    two = await pools.open("two", 2, swim=swim, advertise="127.0.0.9")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(two.settings.bind, pools.port)
        await asyncio.gather(copy(reader, back), copy(there, writer))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(forward, "127.0.0.9", pools.port):
        result = await one.pool.join(["127.0.0.9"])
        assert (result.contacted, result.without_udp) == (1, (f"127.0.0.9:{pools.port}",))
        await eventually_async(lambda: any("UDP is blocked" in reason for reason in one.pool.explain("two").reasons))
        assert one.alive() == {"one", "two"}


async def test_a_pool_over_ipv6(pools: Pools) -> None:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    one = await pools.open("one", 1, bind="::1")
    two = await pools.open("two", 2, bind="::1", port=free_port())
    result = await two.pool.join([f"[::1]:{pools.port}"])
    assert (result.contacted, result.failures, result.without_udp) == (1, (), ())
    for agent in (one, two):
        await agent.knows("one", "two")
    assert {(member.address, member.port) for member in one.pool.members()} == {
        ("::1", pools.port),
        ("::1", two.settings.port),
    }


async def test_a_flood_of_events_leaves_bounded_queues_and_a_working_member(pools: Pools) -> None:
    one = await pools.open("one", 1, swim=CONSUL_LAN)
    two = await pools.open("two", 2, swim=CONSUL_LAN, join=one)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.66", 0))
        for number in itertools.count():
            event = UserEvent(number // 2, f"flood-{number}", b"x" * 100, False)
            udp.sendto(encode_message(UserMessage(encode_serf_message(event))), ("127.0.0.1", pools.port))
            if number % 50 == 0:
                await asyncio.sleep(0)
                if len(one.events) >= FLOOD:
                    break
    assert MIN_QUEUE_DEPTH / 2 < int(one.pool.stats()["event_queue"]) <= MIN_QUEUE_DEPTH * QUEUE_SLACK
    two.pool.set_tags({"role": "node", "after": "the flood"})
    await eventually_async(lambda: "the flood" in [member.tags.get("after") for member in one.pool.members()])
    assert one.alive() == two.alive() == {"one", "two"}


async def test_a_large_state_is_merged_as_a_whole(pools: Pools) -> None:
    one = await pools.open("one", 1, keys=(b"k" * 16,))
    nodes = tuple(
        PushPullNode(f"n{number}", bytes((127, 1, number >> 8, number & 255)), 1, b"", 1, STATE_ALIVE, VERSIONS)
        for number in range(1000)
    )
    with ThreadPoolExecutor(1) as executor:
        client = StreamClient(StreamCodec(Frames((b"k" * 16,), verify_incoming=True, verify_outgoing=True), executor))
        answer = await client.ask(Address(bytes((127, 0, 0, 1)), pools.port), lambda: PushPull(False, nodes), 10.0)
    assert isinstance(answer, PushPull)
    assert [node.name for node in answer.nodes] == ["one"]
    await eventually_async(lambda: len(one.pool.members()) == 1001)


async def test_tags_change_for_all(pools: Pools) -> None:
    one = await pools.open("one", 1)
    two = await pools.open("two", 2, join=one)
    await one.knows("one", "two")
    two.pool.set_tags({"role": "node", "acls": "1"})
    assert two.pool.local.tags["acls"] == "1"
    await eventually_async(lambda: [member.tags.get("acls") for member in one.pool.members()] == [None, "1"])
    with pytest.raises(ValueError, match="512"):
        two.pool.set_tags({"role": "x" * 600})


async def test_a_taken_port_and_faulty_files_are_told(pools: Pools, tmp_path: Path) -> None:
    one = await pools.open("one", 1)
    taken = f"listen tcp 127.0.0.1:{pools.port}: bind: address already in use"
    with pytest.raises(PoolError, match=taken):
        await open_pool(one.settings)
    file = tmp_path / "local.keyring"
    settings = replace(one.settings, bind="127.0.0.2", advertise="127.0.0.2", keyring_file=file)
    for content, error in (("[", "not a JSON list"), ("[]", "holds no keys"), ('["YQ=="]', "16, 24 or 32 bytes")):
        file.write_text(content)
        with pytest.raises(PoolError, match=error):
            await open_pool(settings)
    with pytest.raises(PoolError, match="is no IP address"):
        await open_pool(replace(settings, keyring_file=None, advertise="web1"))
