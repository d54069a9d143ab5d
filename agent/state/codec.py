"""The stored form of rows: a text key and MessagePack bytes for each.

Whatever an engine is to keep passes through here first, inside the attempt of the operation that wrote it: a row that could not
be stored, or not be read at the next start, fails alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from pyconsul.agent.common.steps import Steps
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.contract import Key, Refused, Schema
from pyconsul.agent.state.row_rules import check_row

_encode = msgspec.msgpack.Encoder().encode
_SEPARATOR = "\0"  # between the parts of a key
_ESCAPED = {0: "\x01\x02", 1: "\x01\x01"}  # NUL and \x01 inside a part


StoredRow: TypeAlias = tuple[str, str, bytes | None]  # table, key, and the row; None when it is deleted
Write: TypeAlias = tuple[Schema[Any], Key, Any]


_decoders: dict[type, Callable[[bytes], Any]] = {}


def decoder(row_type: type) -> Callable[[bytes], Any]:
    """Decodes rows of a type; raises msgspec.MsgspecError."""
    found = _decoders.get(row_type)
    if found is None:
        found = _decoders[row_type] = msgspec.msgpack.Decoder(row_type).decode
    return found


def stored_key(key: Key) -> str:
    """The text under which a key is stored; different keys have different texts."""
    if isinstance(key, str):
        return key
    return _SEPARATOR.join(part.translate(_ESCAPED) if "\0" in part or "\x01" in part else part for part in key)


def encode(changeset: Changeset) -> list[StoredRow]:
    """The rows of a changeset in their stored form, kept in it.  Raises Refused for a row that cannot be stored."""
    stored = changeset.stored
    if stored is None:
        stored = changeset.stored = [_stored(*write) for write in changeset.writes]
        _check_names(changeset)
    return stored


def encode_steps(changeset: Changeset) -> Steps[list[StoredRow]]:
    """As `encode`, one row in each step."""
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
    for name in (*changeset.touched, *changeset.forgotten):
        _check_text(name)


def _check_text(text: str) -> None:
    if not text.isascii():
        text.encode()


def encode_rows(rows: Iterable[tuple[Schema[Any], Any]]) -> Iterable[StoredRow]:
    """The rows of a whole state in their stored form.  Raises Refused for the first that breaks a rule."""
    for schema, row in rows:
        yield _stored(schema, schema.key(row), row)
