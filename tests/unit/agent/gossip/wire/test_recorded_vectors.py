"""Packets and streams recorded from serf, memberlist and Consul: read with their meaning, and written with the same bytes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.gossip_vectors import Vector, parameters

from pyconsul.agent.gossip.wire import messages, serf_messages
from pyconsul.agent.gossip.wire.encryption import Keyring
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.packet import Framing, decode_packet, encode_packet
from pyconsul.agent.gossip.wire.serf_payloads import (
    NodeFilter,
    TagFilter,
    decode_coordinate,
    decode_filter,
    decode_tags,
    encode_coordinate,
    encode_filter,
)
from pyconsul.agent.gossip.wire.stream import StreamDecoder, encode_stream

#: Well-formed, but with fields of wrong types: the real programs refuse them, too.
ILL_TYPED = {"ping-wrong-types", "ping-seqno-overflow"}
#: Integer fields that newer encoders write in a signed form, which is accepted and not sent.
SIGNED = {"Nodes", "UserStateLen", "UserMsgLen", "State", "Timeout", "Status"}
MESSAGE_NAMES = {
    "ping": messages.PING,
    "indirect-ping": messages.INDIRECT_PING,
    "ack": messages.ACK,
    "nack": messages.NACK,
    "suspect": messages.SUSPECT,
    "alive": messages.ALIVE,
    "dead": messages.DEAD,
    "err": messages.ERROR,
}
SERF_NAMES = {
    "leave": serf_messages.LEAVE,
    "join": serf_messages.JOIN,
    "push-pull": serf_messages.PUSH_PULL,
    "user-event": serf_messages.USER_EVENT,
    "query": serf_messages.QUERY,
    "query-response": serf_messages.QUERY_RESPONSE,
    "conflict-response": serf_messages.CONFLICT_RESPONSE,
    "key-request": serf_messages.KEY_REQUEST,
    "key-response": serf_messages.KEY_RESPONSE,
}


def framing_of(vector: Vector) -> Framing:
    nonces = iter(vector.nonces())
    layers = {layer["layer"]: layer for layer in vector.layers}
    keys = vector.keys
    if "encrypt" in layers:  # the key that the sender used comes first
        keys.insert(0, keys.pop(layers["encrypt"]["key"]))
    return Framing(
        random_bytes=lambda size: next(nonces),
        label=vector.label,
        keyring=Keyring(keys) if keys else None,
        compression="compress" in layers,
        encryption_version=layers.get("encrypt", {}).get("version", 1),
    )


def decode(vector: Vector, framing: Framing) -> list[messages.StreamMessage]:
    if vector.transport == "udp":
        packet = decode_packet(vector.data, framing)
        found: list[messages.StreamMessage] = list(packet.messages)
        truncated = any("truncated" in layer for layer in vector.layers)
        if packet.errors and not truncated:
            raise DecodeError(packet.errors[0])
    else:
        decoder = StreamDecoder(framing, is_answer=vector.transport == "tcp-answer")
        for start in range(0, min(len(vector.data), 4000), 7):  # as a network would deliver it
            decoder.feed(vector.data[start : min(start + 7, 4000)])
        decoder.feed(vector.data[4000:])
        found = [decoder.finish()]
    for message in found:
        if isinstance(message, messages.UserMessage) and vector_has_serf(vector):
            check_serf_decodes(message.payload)
        if isinstance(message, messages.PushPull) and message.user_state and vector_has_serf(vector):
            check_serf_decodes(message.user_state)
    return found


def vector_has_serf(vector: Vector) -> bool:
    return not str(vector.messages).count("'message': {'hex'") and not str(vector.messages).count("'state': {'hex'")


def check_serf_decodes(payload: bytes) -> None:
    assert serf_messages.decode_serf_message(payload) is not None or payload == b"\x06\xc0"


def compare(found: Any, expected: Any) -> None:
    """Compare plain values with a recorded meaning; what is not recorded was not sent."""
    if isinstance(expected, dict) and set(expected) == {"hex"}:
        assert found == bytes.fromhex(expected["hex"])
    elif isinstance(expected, dict) and set(expected) == {"tags"}:
        assert decode_tags(found) == expected["tags"]
    elif isinstance(expected, dict) and set(expected) == {"coordinate"}:
        coordinate = decode_coordinate(found)
        assert msgspec.structs.astuple(coordinate) == (
            tuple(expected["coordinate"]["Vec"]),
            *(expected["coordinate"][name] for name in ("Error", "Adjustment", "Height")),
            None,  # the wall clock, an addition of ours
        )
        assert encode_coordinate(coordinate) == found
    elif isinstance(expected, dict) and set(expected) in ({"nodes"}, {"tag"}):
        query_filter = decode_filter(found)
        if isinstance(query_filter, NodeFilter):
            assert list(query_filter.nodes) == expected["nodes"]
        else:
            assert query_filter == TagFilter(expected["tag"]["Tag"], expected["tag"]["Expr"])
        assert encode_filter(query_filter) == found
    elif isinstance(expected, dict) and "serf" in expected:
        compare_serf(found, expected)
    elif isinstance(expected, dict) and set(expected) == {"consul"}:
        assert isinstance(found, bytes)  # Consul's own event payload is not the codec's business
    elif isinstance(expected, dict):
        assert {name for name, value in found.items() if value} <= set(expected), "a field was read that was not sent"
        for name, value in expected.items():
            compare(found[name], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for item, value in zip(found, expected, strict=True):
            compare(item, value)
    else:
        assert found == expected


def compare_serf(data: bytes, expected: dict[str, Any]) -> None:
    message = serf_messages.decode_serf_message(data)
    if expected.get("nil"):
        assert message is None
    elif expected["serf"] == "relay":
        assert isinstance(message, serf_messages.Relay)
        target = expected["DestAddr"]
        assert (message.ip.hex(), message.port, message.zone) == (target["IP"]["hex"], target["Port"], target["Zone"])
        assert message.node == expected["DestName"]
        compare_serf(message.message, expected["message"])
    else:
        kind = SERF_NAMES[expected["serf"]]
        assert data[0] == kind
        fields = {name: value for name, value in expected.items() if name != "serf"}
        compare(serf_messages._CODECS[kind].dump(message), fields)
    if not has_wide_integers(expected):
        check_same_bytes(serf_messages.encode_serf_message(message), data, expected)


def check_same_bytes(encoded: bytes, data: bytes, expected: Any) -> None:
    """Maps of names have no order in Go, and scripted peers do not sort fields: then the bytes are the same as a whole."""
    if is_ordered({name: value for name, value in expected.items() if name != "serf"}):
        assert encoded == data
    else:
        assert sorted(encoded) == sorted(data)


def is_ordered(expected: Any) -> bool:
    if isinstance(expected, dict):
        return list(expected) == sorted(expected) and all(map(is_ordered, expected.values()))
    return not isinstance(expected, list) or all(map(is_ordered, expected))


def has_wide_integers(expected: Any) -> bool:
    if isinstance(expected, dict):
        return any(
            (name in SIGNED or name == "DestAddr")
            and (isinstance(value, dict) or (isinstance(value, int) and value > 127))
            for name, value in expected.items()
        ) or any(map(has_wide_integers, expected.values()))
    return isinstance(expected, list) and any(map(has_wide_integers, expected))


def compare_message(message: messages.StreamMessage, expected: dict[str, Any]) -> None:
    fields = {name: value for name, value in expected.items() if name != "type"}
    if isinstance(message, messages.PushPull):
        header, nodes, state = fields["header"], fields["nodes"], fields["state"]
        assert message.join == header["Join"]
        assert len(message.nodes) == header["Nodes"]
        assert len(message.user_state) == header["UserStateLen"]
        compare([messages.PUSH_PULL_NODE.dump(node) for node in message.nodes], nodes)
        if state is None:
            assert message.user_state == b""
        else:
            compare(message.user_state, state)
    elif isinstance(message, messages.UserMessage):
        compare(message.payload, expected["message"])
    else:
        kind = MESSAGE_NAMES[expected["type"]]
        trailing = fields.pop("trailing", None)
        assert trailing is None
        compare(messages.CODECS[kind].dump(message), fields)


@pytest.mark.parametrize("vector", parameters())
def test_a_recording_is_read_and_written_alike(vector: Vector) -> None:
    framing = framing_of(vector)
    if vector.expect == "reject" or vector.name in ILL_TYPED:
        with pytest.raises(DecodeError):
            decode(vector, framing)
        return
    found = decode(vector, framing)
    assert len(found) == len(vector.messages)
    for message, expected in zip(found, vector.messages, strict=True):
        compare_message(message, expected)
    if vector.expect != "roundtrip":
        return
    encoded = encode(vector, found, framing_of(vector))
    if is_canonical(vector):
        assert encoded == vector.data
    else:
        again = msgspec.structs.replace(vector, hex=encoded.hex())
        assert decode(again, framing) == found


def encode(vector: Vector, found: list[messages.StreamMessage], framing: Framing) -> bytes:
    if vector.transport == "udp":
        has_crc = any(layer["layer"] == "crc" for layer in vector.layers)
        return encode_packet([messages.encode_message(message) for message in found], framing, crc=has_crc)  # type: ignore[arg-type]
    return encode_stream(found[0], framing, is_answer=vector.transport == "tcp-answer")


def is_canonical(vector: Vector) -> bool:
    """Fields are sorted, which scripted peers do not do, and integers have the older form, which is the one we send."""
    fields = [[name for name in message if name != "type"] for message in vector.messages]
    wide = vector.encoder == "go-msgpack 2.1.5" and has_wide_integers(vector.messages)
    return not wide and all(names == sorted(names) for names in fields if "header" not in names)
