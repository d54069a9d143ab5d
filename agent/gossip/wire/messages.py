"""memberlist's messages and their codecs: one type byte and a map (PROTOCOL, section 3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from pyconsul.agent.gossip.wire.dialect import (
    Field,
    StructCodec,
    read_bool,
    read_bytes,
    read_i64,
    read_optional_bytes,
    read_text,
    read_u16,
    read_u32,
)
from pyconsul.agent.gossip.wire.errors import DecodeError

PING, INDIRECT_PING, ACK, SUSPECT, ALIVE, DEAD, PUSH_PULL, COMPOUND, USER, COMPRESSED, ENCRYPTED, NACK, CRC, ERROR = (
    range(14)
)
LABEL = 244

# States of a member within a push/pull.
STATE_ALIVE, STATE_SUSPECT, STATE_DEAD, STATE_LEFT = range(4)


class Address(NamedTuple):
    """An IP address (4 or 16 bytes) and a port."""

    ip: bytes
    port: int


class Ping(msgspec.Struct, frozen=True, gc=False):
    """A request for an ack from `node`, sent to the source address if given, else to the sender of the packet."""

    seq_no: int
    node: str
    source_ip: bytes = b""
    source_port: int = 0
    source_node: str = ""


class IndirectPing(msgspec.Struct, frozen=True, gc=False):
    """A request to ping `node` at `target`; `nack`: send a nack if it does not answer."""

    seq_no: int
    target: bytes
    port: int
    node: str
    nack: bool
    source_ip: bytes = b""
    source_port: int = 0
    source_node: str = ""


class Ack(msgspec.Struct, frozen=True, gc=False):
    """The answer to a ping; the payload belongs to the delegate."""

    seq_no: int
    payload: bytes | None = None


class Nack(msgspec.Struct, frozen=True, gc=False):
    """The answer to an indirect ping whose target did not answer in time."""

    seq_no: int


class Suspect(msgspec.Struct, frozen=True, gc=False):
    """A claim: `source` could not reach `node`."""

    incarnation: int
    node: str
    source: str


class Alive(msgspec.Struct, frozen=True, gc=False):
    """A claim: `node` is alive with this address, meta data and versions (6 bytes)."""

    incarnation: int
    node: str
    ip: bytes
    port: int
    meta: bytes
    versions: bytes


class Dead(msgspec.Struct, frozen=True, gc=False):
    """A claim: `node` is dead. With `source` equal to `node`: it leaves."""

    incarnation: int
    node: str
    source: str


class UserMessage(msgspec.Struct, frozen=True, gc=False):
    """A message of the delegate."""

    payload: bytes


class ErrorMessage(msgspec.Struct, frozen=True, gc=False):
    """The error of a peer that could not read a stream."""

    error: str


class PushPullNode(msgspec.Struct, frozen=True, gc=False):
    """One member as the sender of a push/pull knows it."""

    name: str
    ip: bytes
    port: int
    meta: bytes
    incarnation: int
    state: int
    versions: bytes


class PushPull(msgspec.Struct, frozen=True, gc=False):
    """The whole state of a member, in a stream; `user_state` belongs to the delegate."""

    join: bool
    nodes: tuple[PushPullNode, ...]
    user_state: bytes = b""


class PushPullHeader(msgspec.Struct, frozen=True, gc=False):
    """The header before the nodes and the user state of a push/pull."""

    nodes: int
    user_state_size: int
    join: bool


class UserHeader(msgspec.Struct, frozen=True, gc=False):
    """The header before a user message in a stream."""

    size: int


PacketMessage = Ping | IndirectPing | Ack | Nack | Suspect | Alive | Dead | UserMessage | ErrorMessage
StreamMessage = PacketMessage | PushPull

_SOURCE = (
    Field("source_ip", "SourceAddr", read_bytes, b"", omit_empty=True),
    Field("source_port", "SourcePort", read_u16, 0, omit_empty=True),
    Field("source_node", "SourceNode", read_text, "", omit_empty=True),
)
_SEQ_NO = Field("seq_no", "SeqNo", read_u32, 0)
_NODE = Field("node", "Node", read_text, "")
_INCARNATION = Field("incarnation", "Incarnation", read_u32, 0)
_FROM = Field("source", "From", read_text, "")
_IP = Field("ip", "Addr", read_bytes, b"")
_PORT = Field("port", "Port", read_u16, 0)
_META = Field("meta", "Meta", read_bytes, b"")
_VERSIONS = Field("versions", "Vsn", read_bytes, b"")

#: Codecs by type, for all messages of a packet except the user message, whose body is not a map.
CODECS: dict[int, StructCodec[Any]] = {
    PING: StructCodec(Ping, (_SEQ_NO, _NODE, *_SOURCE)),
    INDIRECT_PING: StructCodec(
        IndirectPing,
        (
            _SEQ_NO,
            Field("target", "Target", read_bytes, b""),
            _PORT,
            _NODE,
            Field("nack", "Nack", read_bool, False),
            *_SOURCE,
        ),
    ),
    ACK: StructCodec(Ack, (_SEQ_NO, Field("payload", "Payload", read_optional_bytes, None))),
    NACK: StructCodec(Nack, (_SEQ_NO,)),
    SUSPECT: StructCodec(Suspect, (_INCARNATION, _NODE, _FROM)),
    ALIVE: StructCodec(Alive, (_INCARNATION, _NODE, _IP, _PORT, _META, _VERSIONS)),
    DEAD: StructCodec(Dead, (_INCARNATION, _NODE, _FROM)),
    ERROR: StructCodec(ErrorMessage, (Field("error", "Error", read_text, ""),)),
}
PUSH_PULL_HEADER = StructCodec(
    PushPullHeader,
    (
        Field("nodes", "Nodes", read_i64, 0),
        Field("user_state_size", "UserStateLen", read_i64, 0),
        Field("join", "Join", read_bool, False),
    ),
)
PUSH_PULL_NODE = StructCodec(
    PushPullNode,
    (
        Field("name", "Name", read_text, ""),
        _IP,
        _PORT,
        _META,
        _INCARNATION,
        Field("state", "State", read_i64, 0),
        _VERSIONS,
    ),
)
USER_HEADER = StructCodec(UserHeader, (Field("size", "UserMsgLen", read_i64, 0),))

_TYPES: dict[type, int] = {
    Ping: PING,
    IndirectPing: INDIRECT_PING,
    Ack: ACK,
    Nack: NACK,
    Suspect: SUSPECT,
    Alive: ALIVE,
    Dead: DEAD,
    ErrorMessage: ERROR,
}


def decode_message(data: bytes) -> PacketMessage:
    """Decode one message that is neither compound nor compressed. Raises DecodeError."""
    if not data:
        raise DecodeError("the message is empty")
    if data[0] == USER:
        if len(data) == 1:
            raise DecodeError("the user message is empty")
        return UserMessage(data[1:])
    codec = CODECS.get(data[0])
    if codec is None:
        raise DecodeError(f"unsupported message type {data[0]}")
    message: PacketMessage = codec.decode(data[1:])
    return message


def encode_message(message: PacketMessage) -> bytes:
    """Encode one message for a packet."""
    if type(message) is UserMessage:
        return b"\x08" + message.payload
    kind = _TYPES[type(message)]
    return bytes((kind,)) + CODECS[kind].encode(message)
