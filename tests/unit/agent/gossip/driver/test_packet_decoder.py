"""Received packets: filtered by address, decoded, and what cannot be read counted."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from pyconsul.agent.gossip.consul.admission import LanAdmission
from pyconsul.agent.gossip.driver import packet_decoder
from pyconsul.agent.gossip.driver.frames import Frames
from pyconsul.agent.gossip.driver.packet_decoder import PacketDecoder
from pyconsul.agent.gossip.driver.pool_log import PoolLog
from pyconsul.agent.gossip.wire.messages import Ack, Address, encode_message
from pyconsul.agent.gossip.wire.packet import compound, encode_packet

KEY, OTHER = b"k" * 16, b"o" * 16
SOURCE = ("10.0.0.3", 8301)
ADDRESS = Address(bytes((10, 0, 0, 3)), 8301)


def frames(*keys: bytes) -> Frames:
    return Frames(keys, verify_incoming=True, verify_outgoing=True)


def decoder(*keys: bytes, admission: LanAdmission | None = None) -> PacketDecoder:
    return PacketDecoder(frames(*keys), admission, PoolLog("lan", lambda: 0.0))


def packet(*keys: bytes) -> bytes:
    return encode_packet([encode_message(Ack(7))], frames(*keys).present, crc=True)


def test_a_packet_and_where_it_comes_from() -> None:
    assert decoder().decode(packet(), SOURCE) == ((Ack(7),), ADDRESS)
    assert decoder(KEY, OTHER).decode(packet(OTHER), ("::ffff:10.0.0.3", 8301)) == ((Ack(7),), ADDRESS)


async def test_packets_that_no_key_fits_are_counted_until_one_fits() -> None:
    one = decoder(KEY)
    for _ in range(3):
        assert one.decode(packet(OTHER), SOURCE) is None
    assert one.decode(packet(), SOURCE) is None
    assert one.undecryptable(ADDRESS) == 4
    assert one.undecryptable(Address(ADDRESS.ip, 8302)) == 0
    assert one.decode(packet(KEY), SOURCE) is not None
    assert one.undecryptable(ADDRESS) == 0


def test_an_agent_without_a_key_recognizes_encrypted_packets() -> None:
    one = decoder()
    assert one.decode(packet(KEY), SOURCE) is None
    assert one.decode(b"\xff" * 40, SOURCE) is None
    assert one.undecryptable(ADDRESS) == 1


async def test_the_counts_are_bounded() -> None:
    one = decoder(KEY)
    for number in range(packet_decoder.MAX_SOURCES + 5):
        one.decode(packet(OTHER), (f"10.1.{number // 256}.{number % 256}", 8301))
    assert one.undecryptable(Address(bytes((10, 1, 0, 4)), 8301)) == 0
    assert one.undecryptable(Address(bytes((10, 1, 0, 5)), 8301)) == 1


def test_only_allowed_addresses_are_read() -> None:
    admission = LanAdmission(datacenter="dc1", node_name="n", node_id="", allowed=[ip_network("10.0.0.0/24")])
    one = decoder(admission=admission)
    assert one.decode(packet(), SOURCE) is not None
    assert one.decode(packet(), ("10.0.1.3", 8301)) is None
    assert one.decode(packet(), ("fd00::1", 8301)) is None


async def test_good_parts_of_a_packet_pass_and_log_lines_are_few(caplog: pytest.LogCaptureFixture) -> None:
    one = decoder()
    mixed = compound([encode_message(Ack(1)), b"\x63", encode_message(Ack(2))])
    for _ in range(50):
        assert one.decode(mixed, SOURCE) == ((Ack(1), Ack(2)), ADDRESS)
        assert one.decode(b"\x63", SOURCE) is None
    lines = [record.getMessage() for record in caplog.records]
    assert 1 <= len(lines) <= 3
    assert lines[0].startswith("ignored a packet: pool=lan source=10.0.0.3:8301 error=")


async def test_an_encrypted_packet_is_named_where_there_is_no_key(caplog: pytest.LogCaptureFixture) -> None:
    assert decoder().decode(b"\x01" + bytes(64), SOURCE) is None
    assert "no gossip key (encrypt)" in caplog.text
