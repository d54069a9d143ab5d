"""Payloads that Serf puts into other messages: tags, coordinates and query filters (PROTOCOL, sections 3, 8.5, 8.6)."""

from __future__ import annotations

import msgspec

from pyconsul.agent.gossip.wire.dialect import (
    Field,
    Reader,
    StructCodec,
    pack,
    read_float,
    read_list,
    read_map,
    read_text,
)
from pyconsul.agent.gossip.wire.errors import DecodeError

MAX_META_SIZE = 512  # bytes of a member's encoded tags
DIMENSIONS = 8  # of a coordinate
_TAGS_MAGIC = 0xFF
_COORDINATE_VERSION = 1
_FILTER_NODES, _FILTER_TAG = range(2)


class CoordinatePayload(msgspec.Struct, frozen=True, gc=False):
    """A Vivaldi coordinate: position, error estimate, and heights in seconds.

    wall_clock: Unix seconds of the sender; own addition, which Serf ignores.  Its name makes it the last field on the wire.
    """

    vector: tuple[float, ...]
    error: float
    adjustment: float
    height: float
    wall_clock: float | None = None


class NodeFilter(msgspec.Struct, frozen=True, gc=False):
    """A filter that admits these members only."""

    nodes: tuple[str, ...]


class TagFilter(msgspec.Struct, frozen=True, gc=False):
    """A filter that admits the members in whose tag the regular expression is found."""

    tag: str
    expression: str


def _read_vector(reader: Reader) -> tuple[float, ...]:
    return read_list(reader, read_float) or ()


_COORDINATE: StructCodec[CoordinatePayload] = StructCodec(
    CoordinatePayload,
    (
        Field("vector", "Vec", _read_vector, ()),
        Field("error", "Error", read_float, 0.0),
        Field("adjustment", "Adjustment", read_float, 0.0),
        Field("height", "Height", read_float, 0.0),
        Field("wall_clock", "WallClock", read_float, None, omit_empty=True),
    ),
)
_TAG_FILTER: StructCodec[TagFilter] = StructCodec(
    TagFilter, (Field("tag", "Tag", read_text, ""), Field("expression", "Expr", read_text, ""))
)


def encode_tags(tags: dict[str, str]) -> bytes:
    """Return the meta data of a member with these tags, sorted by name."""
    return bytes((_TAGS_MAGIC,)) + pack(dict(sorted(tags.items())))


def decode_tags(meta: bytes) -> dict[str, str]:
    """Return the tags of a member. Meta data of delegate protocol 2 is the tag `role`. Raises DecodeError."""
    if not meta:
        return {}
    if meta[0] == _TAGS_MAGIC:
        return read_map(Reader(meta[1:]), read_text)
    try:
        return {"role": meta.decode()}
    except UnicodeDecodeError:
        raise DecodeError("the role is not UTF-8") from None


def encode_coordinate(coordinate: CoordinatePayload) -> bytes:
    """Return the payload of an ack."""
    return bytes((_COORDINATE_VERSION,)) + _COORDINATE.encode(coordinate)


def decode_coordinate(payload: bytes) -> CoordinatePayload:
    """Read the payload of an ack; the values are not checked. Raises DecodeError."""
    if payload[:1] != bytes((_COORDINATE_VERSION,)):
        raise DecodeError("the version of the coordinate is unsupported")
    return _COORDINATE.decode(payload[1:])


def encode_filter(query_filter: NodeFilter | TagFilter) -> bytes:
    if isinstance(query_filter, NodeFilter):
        return bytes((_FILTER_NODES,)) + pack(query_filter.nodes)
    return bytes((_FILTER_TAG,)) + _TAG_FILTER.encode(query_filter)


def decode_filter(data: bytes) -> NodeFilter | TagFilter:
    """Read one filter of a query; its regular expression is not checked. Raises DecodeError."""
    kind = data[0] if data else None
    if kind == _FILTER_NODES:
        return NodeFilter(read_list(Reader(data[1:]), read_text) or ())
    if kind == _FILTER_TAG:
        return _TAG_FILTER.decode(data[1:])
    raise DecodeError("the type of the query filter is unsupported" if data else "the query filter is empty")
