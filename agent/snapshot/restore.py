"""The rows of a `state.bin`, Consul's or an older pyconsul's.  Nothing is believed before all of it was read and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from pyconsul.agent.model.acl import Bootstrapped
from pyconsul.agent.snapshot import acl_records, catalog_records, records, store_records
from pyconsul.agent.snapshot.errors import SnapshotError
from pyconsul.agent.snapshot.fields import MAX_INDEX, Fields
from pyconsul.agent.snapshot.gomsgpack import UNPACK_ERRORS, raw, unpack_all
from pyconsul.agent.snapshot.inspect import is_older_pyconsul
from pyconsul.agent.snapshot.legacy import LegacyReader
from pyconsul.agent.snapshot.records import Record, RecordReader, name_of
from pyconsul.agent.snapshot.validate import validate
from pyconsul.agent.state.acl.tables import AUTH_METHODS, BINDING_RULES, BOOTSTRAPPED, POLICIES, ROLES, TOKENS
from pyconsul.agent.state.contract import Key, Schema
from pyconsul.agent.state.schemas import ALL, AUTOPILOT, KV, QUERIES, SESSIONS, TOMBSTONES

ROW_COST = 600  # bytes of memory for a row and its index entries, without its content
CONTENT_COST = 3  # bytes of memory for one of a record
BOOTSTRAP_INDEX = "acl-token-bootstrap"

# Records that become one row each: their table, and how they are read.
_SIMPLE: dict[int, tuple[Schema[Any], Callable[[Fields], Any]]] = {
    records.KVS: (KV, store_records.read_entry),
    records.SESSION: (SESSIONS, store_records.read_session),
    records.QUERY: (QUERIES, store_records.read_query),
    records.AUTOPILOT: (AUTOPILOT, store_records.read_autopilot),
    records.TOKEN: (TOKENS, acl_records.read_token),
    records.POLICY: (POLICIES, acl_records.read_policy),
    records.ROLE: (ROLES, acl_records.read_role),
    records.BINDING_RULE: (BINDING_RULES, acl_records.read_binding_rule),
    records.AUTH_METHOD: (AUTH_METHODS, acl_records.read_auth_method),
}


@dataclass(slots=True)
class Restored:
    """The contents of a snapshot: rows by table and key, its index, and the number of unsupported records by kind."""

    index: int
    tables: dict[str, dict[Key, Any]] = field(
        default_factory=lambda: {schema.name: {} for schema in ALL if schema.in_snapshots}
    )
    left_out: Counter[str] = field(default_factory=Counter)

    def rows(self) -> list[tuple[str, Any]]:
        """(table name, row) of each row."""
        return [(name, row) for name, rows in self.tables.items() for row in rows.values()]


def read(file: BinaryIO, now: float, memory: int, allow_control_characters: bool = False) -> Restored:
    """Read and check a state; `memory`: bytes that its rows may take.

    Blocks: run it in a thread.  Raises SnapshotError, OSError.
    """
    found = _read_legacy(file, memory) if is_older_pyconsul(file) else _read_records(file, now, memory)
    if not 0 <= found.index <= MAX_INDEX:
        raise SnapshotError(f"its index must be from 0 to {MAX_INDEX}")
    validate(found.tables, allow_control_characters)
    found.index = max(found.index, *(_highest(rows) for rows in found.tables.values()))
    return found


def _highest(rows: dict[Key, Any]) -> int:
    """Return the highest index of a table's rows: the index of the restored state may not be below it."""
    return max((_modified(row) for row in rows.values()), default=0)


def _modified(row: Any) -> int:
    row = getattr(row, "service", row) if hasattr(row, "service") and not hasattr(row, "modify_index") else row
    return int(getattr(row, "modify_index", 0) or getattr(row, "index", 0))


class _Budget:
    """Bounds the memory that rows take."""

    def __init__(self, memory: int) -> None:
        self._left = memory

    def spend(self, size: int) -> None:
        self._left -= ROW_COST + CONTENT_COST * size
        if self._left < 0:
            raise SnapshotError("its rows would take more memory than this machine has free")


def _read_legacy(file: BinaryIO, memory: int) -> Restored:
    reader, budget = LegacyReader(file, ALL), _Budget(memory)
    schemas = {schema.name: schema for schema in ALL}
    found = Restored(reader.last_index)
    for table, row, size in reader:
        budget.spend(size)
        found.tables[table][schemas[table].key(row)] = row
    return found


def _read_records(file: BinaryIO, now: float, memory: int) -> Restored:
    reader, budget = RecordReader(file), _Budget(memory)
    schemas = {schema.name: schema for schema in ALL}
    found = Restored(reader.last_index)
    for number, record in enumerate(reader, 1):
        budget.spend(record.size)
        try:
            for table, row in _rows(record, now, found.left_out):
                found.tables[table][schemas[table].key(row)] = row
        except SnapshotError as error:
            raise SnapshotError(f"record {number} ({name_of(record.kind)}){_name(record.value)}: {error}") from None
    _leave_out_methods(found)
    return found


def _leave_out_methods(found: Restored) -> None:
    """Leave out auth methods of types that pyconsul lacks, with their binding rules; tokens that they gave stay."""
    methods, rules = found.tables[AUTH_METHODS.name], found.tables[BINDING_RULES.name]
    for key, method in list(methods.items()):
        if method.type != "jwt":
            found.left_out[f"{name_of(records.AUTH_METHOD)} {ascii(method.type)[1:-1][:64]}"] += 1
            del methods[key]
            for rule in [rule for rule in rules.values() if rule.auth_method.lower() == key]:
                found.left_out[f"{name_of(records.BINDING_RULE)} of such a method"] += 1
                del rules[rule.id]


def _rows(record: Record, now: float, left_out: Counter[str]) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a record; one that is not for pyconsul is counted."""
    kind, value = record.kind, record.value
    if kind == records.REGISTER:
        yield from catalog_records.read_register(Fields(value), left_out)
    elif kind in _SIMPLE:
        schema, convert = _SIMPLE[kind]
        yield schema.name, convert(Fields(value))
    elif kind == records.TOMBSTONE:
        yield TOMBSTONES.name, store_records.read_tombstone(Fields(value), now)
    elif kind == records.COORDINATES:
        if not isinstance(value, list):
            raise SnapshotError("must be a list")
        for one in value:
            yield catalog_records.read_coordinate(Fields(one))
    elif kind == records.INDEX:
        index = Fields(value)
        if index.text("Key") == BOOTSTRAP_INDEX and (at := index.index("Value")):
            yield BOOTSTRAPPED.name, Bootstrapped("bootstrap", at)
    elif kind != records.CHUNKING or not isinstance(value, dict) or value.get("ChunkMap"):
        left_out[_left_out_name(record)] += 1


def _name(value: Any) -> str:
    """Return the name of a record for errors, if it has one; never a secret."""
    if isinstance(value, dict):
        for field_name in ("Key", "Node", "Name", "AccessorID", "ID"):
            if isinstance(text := value.get(field_name), str) and text:
                return f" {text!a}"
    return ""


def _left_out_name(record: Record) -> str:
    """Return the name of a config entry with its kind; the value is a kind and then the entry, in bytes."""
    name = name_of(record.kind)
    if record.kind == records.CONFIG_ENTRY and isinstance(record.value, str | bytes):
        try:
            kind = unpack_all(raw(record.value))[0]
        except (*UNPACK_ERRORS, IndexError):
            return name
        if isinstance(kind, str) and kind.isascii() and kind.isprintable() and len(kind) <= 64:
            return f"{name} {kind}"
    return name
