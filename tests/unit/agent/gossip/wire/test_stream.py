"""Streams: whole however they arrive, and bounded."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gossip_messages import framings, packet_messages, plain_framing, push_pulls

from pyconsul.agent.gossip.wire import stream
from pyconsul.agent.gossip.wire.encryption import Keyring
from pyconsul.agent.gossip.wire.errors import DecodeError, FramingError
from pyconsul.agent.gossip.wire.messages import Ping, PushPull, PushPullNode, StreamMessage, UserMessage
from pyconsul.agent.gossip.wire.packet import Framing, compressed
from pyconsul.agent.gossip.wire.stream import MAX_STREAM_SIZE, StreamDecoder, encode_stream, encode_stream_message

KEYRING = Keyring([b"k" * 16])
UNCOMPRESSED = Framing(random_bytes=bytes, compression=False)


def decode(data: bytes, framing: Framing, *, is_answer: bool = False, step: int = 1 << 16) -> StreamMessage:
    decoder = StreamDecoder(framing, is_answer=is_answer)
    for start in range(0, len(data), step):
        decoder.feed(data[start : start + step])
    return decoder.finish()


@given(push_pulls() | packet_messages(), framings(), st.booleans(), st.integers(1, 50))
def test_round_trip_in_pieces(message: StreamMessage, framing: Framing, is_answer: bool, step: int) -> None:
    data = encode_stream(message, framing, is_answer=is_answer)
    assert decode(data, framing, is_answer=is_answer, step=step) == message


@given(push_pulls())
def test_the_message_is_there_with_its_last_byte(message: PushPull) -> None:
    data = encode_stream(message, UNCOMPRESSED, is_answer=False)
    decoder = StreamDecoder(UNCOMPRESSED, is_answer=False)
    assert decoder.feed(data[:-1]) is None
    assert decoder.feed(data[-1:]) == message


@given(st.binary(max_size=300), framings(), st.booleans())
def test_any_bytes_give_a_message_or_an_error(data: bytes, framing: Framing, is_answer: bool) -> None:
    with contextlib.suppress(DecodeError):
        decode(data, framing, is_answer=is_answer, step=20)


def test_a_push_pull_of_many_members_is_read_in_one_pass() -> None:
    nodes = tuple(
        PushPullNode(f"node-{i}", b"\x0a\0\0\1", 8301, b"m" * 100, i, 0, b"\1\5\2\2\5\4") for i in range(3000)
    )
    message = PushPull(join=True, nodes=nodes, user_state=b"s" * 100_000)
    assert decode(encode_stream(message, UNCOMPRESSED, is_answer=False), UNCOMPRESSED, step=1400) == message


def test_the_answer_has_no_label_header_but_is_bound_to_the_label() -> None:
    framing = Framing(random_bytes=bytes, label=b"blue", keyring=KEYRING)
    answer = encode_stream(Ping(1, "a"), framing, is_answer=True)
    assert answer[0] == 10
    assert decode(answer, framing, is_answer=True) == Ping(1, "a")
    with pytest.raises(FramingError):
        decode(answer, Framing(random_bytes=bytes, label=b"red", keyring=KEYRING), is_answer=True)


def test_streams_are_compressed_even_if_that_is_longer() -> None:
    assert encode_stream(Ping(1, "a"), plain_framing(), is_answer=False)[0] == 9


@pytest.mark.parametrize(
    ("data", "framing", "error"),
    [
        pytest.param("0a0000002d01", plain_framing(), "encryption is not configured", id="encrypted to plain"),
        pytest.param(
            "0082a44e", Framing(random_bytes=bytes, keyring=KEYRING), "not encrypted", id="plain to encrypted"
        ),
        pytest.param(
            "0affffffff", Framing(random_bytes=bytes, keyring=KEYRING), "announces 4294967295", id="too large"
        ),
        pytest.param("0a00000005", Framing(random_bytes=bytes, keyring=KEYRING), "announces 5", id="too small"),
        pytest.param("0982a4416c676f07a3427566a0", plain_framing(), "algorithm 7", id="unknown compression"),
        pytest.param("0982a4416c676f00a3427566dbffffffff", plain_framing(), "announces 4294967295", id="large buffer"),
        pytest.param("0982a4416c676f00a3427566a3ffffff", plain_framing(), "LZW", id="no LZW"),
    ],
)
def test_errors_of_the_frame_are_to_be_answered(data: str, framing: Framing, error: str) -> None:
    with pytest.raises(FramingError, match=error):
        StreamDecoder(framing, is_answer=False).feed(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param("0681a54e6f646573cf0000010000000000", "announces 1099511627776 members", id="members"),
        pytest.param("0681a54e6f646573ff", "announces -1 members", id="negative members"),
        pytest.param("0681ac5573657253746174654c656ecf0000010000000000", "announces 1099511627776 bytes", id="state"),
        pytest.param("0881aa557365724d73674c656ed3ffffffffffffffff", "announces -1 bytes", id="negative message"),
        pytest.param("63", "unsupported message type 99", id="unknown type"),
        pytest.param("0681a178" + "91" * 100, "nested more than 64", id="deep nesting"),
    ],
)
def test_errors_of_the_message(data: str, error: str) -> None:
    with pytest.raises(DecodeError, match=error) as caught:
        StreamDecoder(plain_framing(), is_answer=False).feed(bytes.fromhex(data))
    assert not isinstance(caught.value, FramingError)


def test_a_stream_that_announces_the_limit_cannot_bring_more() -> None:
    head = bytes.fromhex("0681ac5573657253746174654c656ece") + MAX_STREAM_SIZE.to_bytes(4, "big")
    decoder = StreamDecoder(plain_framing(), is_answer=False)
    assert decoder.feed(head + bytes(MAX_STREAM_SIZE - 1)) is None
    message = decoder.feed(bytes(1 << 17))
    assert isinstance(message, PushPull)
    assert len(message.user_state) == MAX_STREAM_SIZE


def test_members_without_end_are_refused() -> None:
    decoder = StreamDecoder(plain_framing(), is_answer=False)
    with pytest.raises(DecodeError, match="announces 1000000 members"):
        decoder.feed(b"\x06\x81\xa5Nodes\xce" + (1_000_000).to_bytes(4, "big") + b"\x80" * 1000)


def test_one_value_is_bounded() -> None:
    decoder = StreamDecoder(plain_framing(), is_answer=False)
    with pytest.raises(DecodeError, match="a value has more than"):
        decoder.feed(b"\x06\x81\xa1x\xdb\x00\x10\x00\x00" + bytes(1 << 17))


def test_a_small_stream_cannot_expand_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_STREAM_SIZE", 200_000)
    with pytest.raises(FramingError, match="expands to more than 200000 bytes"):
        decode(compressed(bytes(200_001)), plain_framing())


def test_a_stream_that_ends_early_is_an_error() -> None:
    data = encode_stream_message(UserMessage(b"hello"))
    with pytest.raises(DecodeError, match="ended"):
        decode(data[:-1], plain_framing())
