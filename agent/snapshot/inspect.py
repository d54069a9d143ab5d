"""Statistics and contents of a snapshot file for the command line; needs neither an agent nor its state."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.snapshot import archive
from pyconsul.agent.snapshot.errors import SnapshotError
from pyconsul.agent.snapshot.gomsgpack import UNPACK_ERRORS, decode_time, raw, unpack_all
from pyconsul.agent.snapshot.records import CONFIG_ENTRY, KVS, RecordReader, name_of

_TIMES = frozenset({"CreateTime", "ExpirationTime", "UpdatedAt"})
_BINARY = frozenset({"Value", "Hash"})  # shown in base64, as the API does; a SystemMetadata's value is text


@dataclass(slots=True)
class Inspection:
    """The metadata of a snapshot, and (count, bytes) by record type and by prefix of keys."""

    meta: dict[str, Any]
    kinds: dict[str, tuple[int, int]] = field(default_factory=dict)
    prefixes: dict[str, tuple[int, int]] = field(default_factory=dict)


@contextmanager
def opened(path: str) -> Iterator[tuple[dict[str, Any], BinaryIO]]:
    """Open an archive, or a `state.bin` with its `meta.json`: the metadata and the verified state.

    Raises SnapshotError, OSError.
    """
    if os.path.basename(path).lower() == archive.STATE:
        meta = archive.decode_meta(Path(path).with_name(archive.META).read_bytes())
        with open(path, "rb") as file:
            yield meta, file
        return
    with tempfile.TemporaryFile(prefix="pyconsul-snapshot-") as state:
        with open(path, "rb") as packed:
            meta = archive.unpack(packed, cast(BinaryIO, state))
        state.seek(0)
        yield meta, cast(BinaryIO, state)


def inspect(path: str, depth: int | None = None, prefix: str = "") -> Inspection:
    """Count the records of a snapshot; with `depth` also the keys that begin with `prefix`, by their first `depth` parts.

    Raises SnapshotError, OSError.
    """
    with opened(path) as (meta, state):
        found = Inspection(meta)
        if is_older_pyconsul(state):
            for entry in meta.get("Stats") or ():
                found.kinds[str(entry["Name"])] = int(entry["Count"]), int(entry["Sum"])
            return found
        reader = RecordReader(state)
        extra = reader.header_size  # as with Consul, the header counts towards the first record
        for record in reader:
            size, extra = record.size + extra, 0
            _count(found.kinds, name_of(record.kind), size)
            if record.kind == KVS and depth is not None and isinstance(record.value, dict):
                key = str(record.value.get("Key", ""))
                if key.startswith(prefix):
                    _count(found.prefixes, "/".join(key.split("/")[: max(depth, 0)]), size)
    return found


def is_older_pyconsul(state: BinaryIO) -> bool:
    """Return whether a state has pyconsul's own format, used before Consul's; rewinds the file."""
    start = state.read(3)
    state.seek(0)
    return start == b"\0\0\0"


def _count(where: dict[str, tuple[int, int]], name: str, size: int) -> None:
    count, total = where.get(name, (0, 0))
    where[name] = count + 1, total + size


def decode(path: str) -> Iterator[str]:
    """Yield a snapshot as lines of JSON, `{"Data": …, "Type": "KVS"}`; metadata first.  Raises SnapshotError, OSError."""
    with opened(path) as (meta, state):
        yield _line("SnapshotHeader", meta)
        if is_older_pyconsul(state):
            raise SnapshotError(
                "it was saved by an older pyconsul, which had another format; restore it and save it again"
            )
        for record in RecordReader(state):
            value = record.value
            if record.kind == CONFIG_ENTRY:
                value = _config_entry(value)
            yield _line(name_of(record.kind), _shown(value))


def _line(name: str, data: Any) -> str:
    return json.dumps({"Data": data, "Type": name}, separators=(",", ":"), ensure_ascii=False)


def _config_entry(value: Any) -> Any:
    """Return the request in a config entry's record, which is encoded twice."""
    try:
        return unpack_all(raw(value))[1]
    except (*UNPACK_ERRORS, AttributeError, IndexError):
        return value


def _shown(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {_text(key): _shown(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if isinstance(value, bool | int | float) or value is None:
        return value
    if name in _TIMES:
        return _moment(value)
    if isinstance(value, str | bytes):
        return base64.b64encode(raw(value)).decode() if name in _BINARY else _text(value)
    return str(value)


def _text(value: str | bytes) -> str:
    """Text as it is, other bytes in base64."""
    data = raw(value)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()


def _moment(value: Any) -> Any:
    try:
        seconds, nanoseconds = divmod(decode_time(value), SECOND_NS)
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return _text(value) if isinstance(value, str | bytes) else str(value)
    return text + f".{nanoseconds:09}".rstrip("0").rstrip(".") + "Z"
