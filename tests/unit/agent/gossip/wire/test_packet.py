"""Packets: frames around messages, and bounds for hostile ones."""

from __future__ import annotations

import contextlib
import itertools

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gossip_messages import framings, packet_messages, plain_framing

from pyconsul.agent.gossip.wire.encryption import Keyring
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.messages import Ack, PacketMessage, Ping, UserMessage, decode_message, encode_message
from pyconsul.agent.gossip.wire.packet import (
    Framing,
    compound,
    compressed,
    decode_packet,
    encode_packet,
)

PING = Ping(seq_no=5, node="a")
PING_BYTES = bytes.fromhex("0082a44e6f6465a161a55365714e6f05")  # as serf sends it


def test_a_ping_has_memberlist_s_bytes() -> None:
    assert encode_message(PING) == PING_BYTES
    assert decode_message(PING_BYTES) == PING


def test_an_integer_in_the_newer_signed_form_is_read() -> None:
    assert decode_message(bytes.fromhex("0b81a55365714e6fd100c8")).seq_no == 200  # type: ignore[union-attr]


def test_text_as_bin_and_str8_is_read_and_never_sent() -> None:
    for head in ("c402", "d902", "a2", "da0002"):
        assert decode_message(bytes.fromhex(f"0081a44e6f6465{head}6162")) == Ping(0, "ab")
    long = encode_message(Ping(1, "n" * 200))
    assert long.index(b"\xda\x00\xc8") == 7
    assert b"\xd9" not in long


@given(packet_messages())
def test_messages_round_trip(message: PacketMessage) -> None:
    assert decode_message(encode_message(message)) == message


@given(st.lists(packet_messages(), min_size=1, max_size=20), framings(), st.booleans())
def test_packets_round_trip(messages: list[PacketMessage], framing: Framing, crc: bool) -> None:
    data = encode_packet([encode_message(message) for message in messages], framing, crc=crc)
    assert decode_packet(data, framing).messages == tuple(messages)


@given(st.binary(max_size=300), framings())
def test_any_bytes_give_messages_or_an_error(data: bytes, framing: Framing) -> None:
    with contextlib.suppress(DecodeError):
        assert decode_packet(data, framing).messages


@given(st.lists(packet_messages(), min_size=1, max_size=4), st.data())
def test_a_packet_with_wrong_bytes_gives_messages_or_an_error(
    messages: list[PacketMessage], data: st.DataObject
) -> None:
    packet = bytearray(encode_packet([encode_message(message) for message in messages], plain_framing(), crc=False))
    for _ in range(3):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DecodeError):
        decode_packet(bytes(packet), plain_framing())


def test_a_bad_part_does_not_harm_the_others() -> None:
    packet = decode_packet(compound([PING_BYTES, b"\x63", b"", encode_message(Ack(7))]), plain_framing())
    assert packet.messages == (PING, Ack(7))
    assert packet.errors == ("unsupported message type 99", "the message is empty")


def test_parts_before_a_truncation_are_kept() -> None:
    packet = decode_packet(compound([PING_BYTES, PING_BYTES])[:-3], plain_framing())
    assert packet.messages == (PING,)
    assert packet.errors == ("the compound message lacks its last 1 of 2 parts",)


def test_a_wrong_checksum_drops_the_packet() -> None:
    data = bytearray(encode_packet([PING_BYTES], plain_framing(), crc=True))
    data[-1] ^= 1
    with pytest.raises(DecodeError, match="checksum"):
        decode_packet(bytes(data), plain_framing())


@pytest.mark.parametrize("version", [0, 1])
def test_every_key_of_the_ring_decrypts(version: int) -> None:
    old, new = b"o" * 16, b"n" * 32
    sender = framing_with(Keyring([old]), encryption_version=version)
    receiver = framing_with(Keyring([new, old]))
    assert decode_packet(encode_packet([PING_BYTES], sender, crc=False), receiver).messages == (PING,)
    with pytest.raises(DecodeError, match="No installed keys"):
        decode_packet(encode_packet([PING_BYTES], sender, crc=False), framing_with(Keyring([new])))


def test_plain_packets_pass_only_without_verification() -> None:
    data = encode_packet([PING_BYTES], plain_framing(), crc=False)
    with pytest.raises(DecodeError):
        decode_packet(data, framing_with(Keyring([b"k" * 16])))
    lenient = framing_with(Keyring([b"k" * 16]), verify_incoming=False)
    assert decode_packet(data, lenient).messages == (PING,)


def test_the_overhead_is_what_frames_add() -> None:
    framing = Framing(random_bytes=bytes, label=b"blue", keyring=Keyring([b"k" * 16]), compression=False)
    data = encode_packet([PING_BYTES], framing, crc=False)
    assert len(data) == len(PING_BYTES) + framing.packet_overhead


def test_a_packet_expands_to_64_kib_at_most() -> None:
    half = compressed(b"\x08" + bytes(40_000))
    assert len(decode_packet(half, plain_framing()).messages) == 1
    packet = decode_packet(compound([half, half]), plain_framing())
    assert [type(message) for message in packet.messages] == [UserMessage]
    assert "expands" in packet.errors[0]


@pytest.mark.parametrize("depth", [3, 5, 200])
def test_nesting_is_bounded(depth: int) -> None:
    data = PING_BYTES
    for _ in range(depth):
        data = compound([data])
    if depth <= 4:
        assert decode_packet(data, plain_framing()).messages == (PING,)
    else:
        with pytest.raises(DecodeError, match="nested"):
            decode_packet(data, plain_framing())


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"\x91" * 70 + b"\xc0", id="lists within lists"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="a list of four billion values"),
        pytest.param(b"\xdf\xff\xff\xff\xff", id="a map of four billion values"),
        pytest.param(b"\xdb\xff\xff\xff\xff", id="a text of four gigabytes"),
        pytest.param(b"\xc1", id="a reserved byte"),
        pytest.param(b"\xdc\xff\xff" + b"\xdc\xff\xff" * 20_000, id="many announced lists"),
    ],
)
def test_an_unknown_field_cannot_exhaust_memory(value: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_message(b"\x00\x82\xa1x" + value + PING_BYTES[-7:])


def test_an_unknown_field_is_skipped() -> None:
    value = msgpack.packb({"a": [1, {"b": [2.5, None, True]}], "c": b"d"})
    assert decode_message(b"\x00\x83\xa1x" + value + PING_BYTES[2:]) == PING


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("82a44e6f646507a55365714e6f05", "Node: text was expected"),
        ("81a55365714e6fcf0000010000000000", "SeqNo: the integer 1099511627776 is outside"),
        ("81a55365714e6fff", "SeqNo: the integer -1 is outside"),
        ("81a55365714e6fc3", "SeqNo: an integer was expected, not bool"),
        ("81a44e6f6465a1ff", "Node: the text is not UTF-8"),
        ("81a44e6f646590", "Node: a container"),
        ("9205a161", "a map was expected"),
        ("82a44e6f6465a161", "truncated"),
    ],
)
def test_the_error_names_field_and_reason(body: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode_message(b"\x00" + bytes.fromhex(body))


def framing_with(keyring: Keyring, *, verify_incoming: bool = True, encryption_version: int = 1) -> Framing:
    nonces = itertools.count(1)
    return Framing(
        random_bytes=lambda size: next(nonces).to_bytes(size, "big"),
        keyring=keyring,
        verify_incoming=verify_incoming,
        encryption_version=encryption_version,
    )
