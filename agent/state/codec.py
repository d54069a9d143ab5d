"""The stored form of rows, and the encoded form of changesets.

A row is stored as a text key and MessagePack bytes.  Every row is encoded, decoded and checked inside the attempt of the operation
that wrote it, so that one that could not be stored, or not be read at the next start, fails alone.

An encoded changeset is a MessagePack array: version, index, time, writes, indexes, history, purged (see `changeset.Changeset`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from pyconsul.agent.common.steps import Steps
from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.state.changeset import Changeset, Purged, StoredRow
from pyconsul.agent.state.contract import Key, Refused, Schema
from pyconsul.agent.state.row_rules import check_row

_encode = msgspec.msgpack.Encoder().encode
_SEPARATOR = "\0"  # between the parts of a key
_ESCAPE = re.compile("\x01.", re.DOTALL)
_ESCAPED = {0: "\x01\x02", 1: "\x01\x01"}  # NUL and \x01 inside a part


Write: TypeAlias = tuple[Schema[Any], Key, Any]


_decoders: dict[type, Callable[[bytes], Any]] = {}


def decoder(row_type: type) -> Callable[[bytes], Any]:
    """Return the decoder of a row type; it raises msgspec.MsgspecError."""
    found = _decoders.get(row_type)
    if found is None:
        found = _decoders[row_type] = msgspec.msgpack.Decoder(row_type).decode
    return found


def stored_key(key: Key) -> str:
    """Return the text under which a key is stored; different keys have different texts."""
    if isinstance(key, str):
        return key
    return _SEPARATOR.join(part.translate(_ESCAPED) if "\0" in part or "\x01" in part else part for part in key)


def key_of(schema: Schema[Any], text: str) -> Key:
    """Return the key that is stored under a text in a table; the reverse of `stored_key`."""
    if not schema.composite:
        return text
    return tuple(_ESCAPE.sub(_unescaped, part) for part in text.split(_SEPARATOR))


def _unescaped(match: re.Match[str]) -> str:
    return "\0" if match[0] == _ESCAPED[0] else "\x01"


def store_rows(changeset: Changeset) -> list[StoredRow]:
    """Return the rows of a changeset in their stored form, and keep them in it.

    Raises Refused for a row that cannot be stored.
    """
    stored = changeset.stored
    if stored is None:
        stored = changeset.stored = [_stored(*write) for write in changeset.writes]
        _check_names(changeset)
    return stored


def store_rows_in_steps(changeset: Changeset) -> Steps[list[StoredRow]]:
    """Store the rows of a changeset as `store_rows` does, one row in each step."""
    stored = []
    for write in changeset.writes:
        stored.append(_stored(*write))
        yield
    _check_names(changeset)
    changeset.stored = stored
    return stored


def _stored(schema: Schema[Any], key: Key, row: Any) -> StoredRow:
    try:
        if row is None:
            text = stored_key(key)
            _check_text(text)
            return schema.name, text, None
        data = _encode(row)
        row_type = schema.row_type
        check_row(row_type, (_decoders.get(row_type) or decoder(row_type))(data))
        return schema.name, key if type(key) is str else stored_key(key), data
    except Exception as error:  # of a value that no encoder expects; it must not fail any other operation
        raise Refused(f"cannot store this row of {schema.name}: {error}") from error


def _check_names(changeset: Changeset) -> None:
    for name in changeset.indexes:
        _check_text(name)


def _check_text(text: str) -> None:
    if not text.isascii():
        text.encode()


def stored_rows(rows: Iterable[tuple[Schema[Any], Any]]) -> Iterable[StoredRow]:
    """Return the rows of a whole state in their stored form.  Raises Refused for the first that breaks a rule."""
    for schema, row in rows:
        yield _stored(schema, schema.key(row), row)


VERSION = 1  # of encoded changesets


class _Encoded(msgspec.Struct, array_like=True, frozen=True):
    """The encoded form of a changeset; rows are MessagePack inside MessagePack."""

    version: int
    index: int
    now: float
    writes: list[tuple[str, str | tuple[str, ...], bytes | None]]
    indexes: dict[str, int | None]
    history: dict[str, KVEntry | None]
    purged: list[Purged]


class DecodeError(Exception):
    """Bytes that are not a changeset of this version, or one with an invalid row."""


_decode_changeset = msgspec.msgpack.Decoder(_Encoded).decode


def encode(changeset: Changeset) -> bytes:
    """Return a changeset as bytes.  Raises Refused for a row that cannot be stored."""
    stored = store_rows(changeset)
    writes = [(schema.name, key, data) for (schema, key, _), (_, _, data) in zip(changeset.writes, stored, strict=True)]
    return _encode(
        _Encoded(
            VERSION, changeset.index, changeset.now, writes, changeset.indexes, changeset.history, changeset.purged
        )
    )


def decode(data: bytes, schemas: Mapping[str, Schema[Any]]) -> Changeset:
    """Return the changeset of encoded bytes; `schemas`: the tables by name.  Raises DecodeError."""
    try:
        found = _decode_changeset(data)
        if found.version != VERSION:
            raise DecodeError(f"version {found.version} of a changeset; this agent reads version {VERSION}")
        changeset = Changeset(found.index, found.now)
        for name, key, row in found.writes:
            schema = schemas[name]
            changeset.writes.append((schema, key, None if row is None else decode_row(schema, key, row)))
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise DecodeError(f"cannot decode a changeset: {error}") from error
    changeset.indexes, changeset.history, changeset.purged = found.indexes, found.history, found.purged
    return changeset


def decode_row(schema: Schema[Any], key: Key, data: bytes) -> Any:
    """Return the row of a key.  Raises ValueError (msgspec.MsgspecError among them)."""
    row = decoder(schema.row_type)(data)
    check_row(schema.row_type, row)
    if schema.key(row) != key:
        raise ValueError(f"a row of {schema.name} is not the one of its key {key!r:.100}")
    return row
