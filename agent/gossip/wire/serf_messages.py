"""Serf's messages and their codecs: one type byte and a map, carried in memberlist's user messages (PROTOCOL, section 8.1)."""

from __future__ import annotations

from typing import Any

import msgspec

from pyconsul.agent.gossip.wire.dialect import (
    Field,
    Reader,
    StructCodec,
    dump_list,
    pack,
    read_bool,
    read_bytes,
    read_i64,
    read_list,
    read_map,
    read_optional_bytes,
    read_text,
    read_u8,
    read_u16,
    read_u32,
    read_u64,
)
from pyconsul.agent.gossip.wire.errors import DecodeError

(
    LEAVE,
    JOIN,
    PUSH_PULL,
    USER_EVENT,
    QUERY,
    QUERY_RESPONSE,
    CONFLICT_RESPONSE,
    KEY_REQUEST,
    KEY_RESPONSE,
    RELAY,
) = range(10)

QUERY_FLAG_ACK = 1  # query: an ack is wanted; response: this is the ack
QUERY_FLAG_NO_BROADCAST = 2


class Leave(msgspec.Struct, frozen=True, gc=False):
    """The intent of `node` to leave; `prune`: forget it."""

    time: int
    node: str
    prune: bool = False


class Join(msgspec.Struct, frozen=True, gc=False):
    """The intent of `node` to be a member."""

    time: int
    node: str


class Event(msgspec.Struct, frozen=True, gc=False):
    """A user event in the buffer of recent ones."""

    name: str
    payload: bytes | None


class EventSlot(msgspec.Struct, frozen=True, gc=False):
    """The recent user events of one time."""

    time: int
    events: tuple[Event | None, ...] | None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Serf's part of a push/pull: the clocks, the status time of every member, and the recent user events."""

    time: int
    status_times: dict[str, int]
    left_members: tuple[str, ...] | None
    event_time: int
    events: tuple[EventSlot | None, ...] | None
    query_time: int


class UserEvent(msgspec.Struct, frozen=True, gc=False):
    """An event for all members; `coalesce`: only the newest of its name matters."""

    time: int
    name: str
    payload: bytes | None
    coalesce: bool


class Query(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A question to all members that pass the filters; answers go to `ip` and `port`."""

    time: int
    id: int
    ip: bytes
    port: int
    source_node: str
    filters: tuple[bytes, ...] | None
    flags: int
    relay_factor: int
    timeout_ns: int
    name: str
    payload: bytes | None


class QueryResponse(msgspec.Struct, frozen=True, gc=False):
    """An ack of, or an answer to, a query."""

    time: int
    id: int
    source: str
    flags: int
    payload: bytes | None


class ConflictResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The member that the responder knows under a name that two members claim."""

    name: str
    ip: bytes
    port: int
    tags: dict[str, str]
    status: int
    protocol_min: int
    protocol_max: int
    protocol_current: int
    delegate_min: int
    delegate_max: int
    delegate_current: int


class KeyRequest(msgspec.Struct, frozen=True, gc=False):
    """The key that a key query is about."""

    key: bytes | None


class KeyResponse(msgspec.Struct, frozen=True, gc=False):
    """The result of a key query; keys are base64, the primary one first."""

    result: bool
    message: str
    keys: tuple[str, ...] | None
    primary_key: str


class Relay(msgspec.Struct, frozen=True, gc=False):
    """A message to be passed on, as user message, to another member."""

    ip: bytes
    port: int
    node: str
    message: bytes  # with its type byte
    zone: str = ""


class _RelayTarget(msgspec.Struct, frozen=True, gc=False):
    ip: bytes = b""
    port: int = 0
    zone: str = ""


class _RelayHeader(msgspec.Struct, frozen=True, gc=False):
    target: _RelayTarget
    node: str


SerfMessage = (
    Leave
    | Join
    | State
    | UserEvent
    | Query
    | QueryResponse
    | ConflictResponse
    | KeyRequest
    | KeyResponse
    | Relay
    | None
)


def _read_texts(reader: Reader) -> tuple[str, ...] | None:
    return read_list(reader, read_text)


def _read_tags(reader: Reader) -> dict[str, str]:
    return read_map(reader, read_text)


def _field(codec: StructCodec[Any]) -> Any:
    """Return a reader of structs that may be nil."""
    return lambda reader: None if reader.is_nil() else codec.read(reader)


_TIME = Field("time", "LTime", read_u64, 0)
_NODE = Field("node", "Node", read_text, "")
_NAME = Field("name", "Name", read_text, "")
_PAYLOAD = Field("payload", "Payload", read_optional_bytes, None)
_ID = Field("id", "ID", read_u32, 0)
_FLAGS = Field("flags", "Flags", read_u32, 0)
_IP = Field("ip", "Addr", read_bytes, b"")
_PORT = Field("port", "Port", read_u16, 0)

_EVENT: StructCodec[Event] = StructCodec(Event, (_NAME, _PAYLOAD))
_SLOT: StructCodec[EventSlot] = StructCodec(
    EventSlot,
    (
        _TIME,
        Field(
            "events",
            "Events",
            lambda reader: read_list(reader, _field(_EVENT)),
            None,
            dump=lambda events: dump_list(events, _EVENT.dump),
        ),
    ),
)
_RELAY_TARGET: StructCodec[_RelayTarget] = StructCodec(
    _RelayTarget,
    (
        Field("ip", "IP", read_bytes, b""),
        Field("port", "Port", read_u16, 0),
        Field("zone", "Zone", read_text, ""),
    ),
)
_RELAY_HEADER: StructCodec[_RelayHeader] = StructCodec(
    _RelayHeader,
    (
        Field("target", "DestAddr", _RELAY_TARGET.read, _RelayTarget(), dump=_RELAY_TARGET.dump),
        Field("node", "DestName", read_text, ""),
    ),
)


def _keyword(struct_type: Any, *names: str) -> Any:
    """Return a constructor by position for a struct that takes keywords."""
    return lambda *values: struct_type(**dict(zip(names, values, strict=True)))


def _codec(struct_type: Any, *fields: Field) -> StructCodec[Any]:
    return StructCodec(_keyword(struct_type, *(field.attribute for field in fields)), fields)


_CODECS: dict[int, StructCodec[Any]] = {
    LEAVE: StructCodec(Leave, (_TIME, _NODE, Field("prune", "Prune", read_bool, False))),
    JOIN: StructCodec(Join, (_TIME, _NODE)),
    PUSH_PULL: _codec(
        State,
        _TIME,
        Field("status_times", "StatusLTimes", lambda reader: read_map(reader, read_u64), {}),
        Field("left_members", "LeftMembers", _read_texts, None),
        Field("event_time", "EventLTime", read_u64, 0),
        Field(
            "events",
            "Events",
            lambda reader: read_list(reader, _field(_SLOT)),
            None,
            dump=lambda slots: dump_list(slots, _SLOT.dump),
        ),
        Field("query_time", "QueryLTime", read_u64, 0),
    ),
    USER_EVENT: StructCodec(UserEvent, (_TIME, _NAME, _PAYLOAD, Field("coalesce", "CC", read_bool, False))),
    QUERY: _codec(
        Query,
        _TIME,
        _ID,
        _IP,
        _PORT,
        Field("source_node", "SourceNode", read_text, ""),
        Field("filters", "Filters", lambda reader: read_list(reader, read_bytes), None),
        _FLAGS,
        Field("relay_factor", "RelayFactor", read_u8, 0),
        Field("timeout_ns", "Timeout", read_i64, 0),
        _NAME,
        _PAYLOAD,
    ),
    QUERY_RESPONSE: StructCodec(QueryResponse, (_TIME, _ID, Field("source", "From", read_text, ""), _FLAGS, _PAYLOAD)),
    CONFLICT_RESPONSE: _codec(
        ConflictResponse,
        _NAME,
        _IP,
        _PORT,
        Field("tags", "Tags", _read_tags, {}),
        Field("status", "Status", read_i64, 0),
        Field("protocol_min", "ProtocolMin", read_u8, 0),
        Field("protocol_max", "ProtocolMax", read_u8, 0),
        Field("protocol_current", "ProtocolCur", read_u8, 0),
        Field("delegate_min", "DelegateMin", read_u8, 0),
        Field("delegate_max", "DelegateMax", read_u8, 0),
        Field("delegate_current", "DelegateCur", read_u8, 0),
    ),
    KEY_REQUEST: StructCodec(KeyRequest, (Field("key", "Key", read_optional_bytes, None),)),
    KEY_RESPONSE: StructCodec(
        KeyResponse,
        (
            Field("result", "Result", read_bool, False),
            Field("message", "Message", read_text, ""),
            Field("keys", "Keys", _read_texts, None),
            Field("primary_key", "PrimaryKey", read_text, ""),
        ),
    ),
}
_TYPES: dict[type, int] = {
    Leave: LEAVE,
    Join: JOIN,
    State: PUSH_PULL,
    UserEvent: USER_EVENT,
    Query: QUERY,
    QueryResponse: QUERY_RESPONSE,
    ConflictResponse: CONFLICT_RESPONSE,
    KeyRequest: KEY_REQUEST,
    KeyResponse: KEY_RESPONSE,
    Relay: RELAY,
}


def decode_serf_message(data: bytes) -> SerfMessage:
    """Decode the payload of a user message. Returns None for a conflict response about an unknown name.

    Raises DecodeError, also for an unknown type.
    """
    if not data:
        raise DecodeError("the serf message is empty")
    kind = data[0]
    if kind == RELAY:
        reader = Reader(data[1:])
        header = _RELAY_HEADER.read(reader)
        message = data[1 + reader.position() :]
        return Relay(header.target.ip, header.target.port, header.node, message, header.target.zone)
    if kind == CONFLICT_RESPONSE and data[1:] == b"\xc0":
        return None
    codec = _CODECS.get(kind)
    if codec is None:
        raise DecodeError(f"unsupported serf message type {kind}")
    message_read: SerfMessage = codec.decode(data[1:])
    return message_read


def encode_serf_message(message: SerfMessage) -> bytes:
    """Encode a serf message as the payload of a user message; None is the conflict response about an unknown name."""
    if message is None:
        return bytes((CONFLICT_RESPONSE,)) + pack(None)
    if isinstance(message, Relay):
        header = _RelayHeader(_RelayTarget(message.ip, message.port, message.zone), message.node)
        return bytes((RELAY,)) + _RELAY_HEADER.encode(header) + message.message
    kind = _TYPES[type(message)]
    return bytes((kind,)) + _CODECS[kind].encode(message)
