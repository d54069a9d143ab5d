"""The state as `state.bin` of a Consul snapshot, in the order in which Consul writes its records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from pyconsul.agent.snapshot import acl_records, catalog_records, records, store_records
from pyconsul.agent.snapshot.records import RecordWriter
from pyconsul.agent.state.acl.tables import AUTH_METHODS, BINDING_RULES, BOOTSTRAPPED, POLICIES, ROLES, TOKENS
from pyconsul.agent.state.contract import Schema, View
from pyconsul.agent.state.schemas import (
    ALL,
    AUTOPILOT,
    CHECKS,
    COORDINATES,
    KV,
    NODES,
    QUERIES,
    SERVICES,
    SESSIONS,
    TOMBSTONES,
)
from pyconsul.agent.state.topics import EXTINCTION, of_service

T = TypeVar("T")
TERM = 2  # of the one server's Raft; readers expect one
# Tables with a named index; the catalog's are also written for Consul's local peer, "~".
_TABLES: tuple[tuple[str, Schema[Any]], ...] = (
    ("acl-auth-methods", AUTH_METHODS),
    ("acl-binding-rules", BINDING_RULES),
    ("acl-policies", POLICIES),
    ("acl-roles", ROLES),
    ("acl-tokens", TOKENS),
    ("checks", CHECKS),
    ("coordinates", COORDINATES),
    ("kvs", KV),
    ("nodes", NODES),
    ("prepared-queries", QUERIES),
    ("services", SERVICES),
    ("sessions", SESSIONS),
    ("tombstones", TOMBSTONES),
)
_LOCAL = "peer.~:"
_CATALOG = ("checks", "nodes", "services")
_OF_ALL_SERVICES = ("service_kind.typical", f"{_LOCAL}service_kind.typical", "kind_service_names.typical")


@dataclass(frozen=True, slots=True)
class Image:
    """A state as it stood at one moment: the rows of every table that belongs in a snapshot, its index, and the named ones."""

    rows: Mapping[str, Sequence[Any]]
    index: int
    indexes: Mapping[str, int]

    def __getitem__(self, schema: Schema[T]) -> Sequence[T]:
        return self.rows.get(schema.name, ())


def image(view: View) -> Image:
    """Return the present rows; rows are immutable, so they can be written while the state changes."""
    rows = {schema.name: list(view[schema]) for schema in ALL if schema.in_snapshots}
    return Image(rows, view.index, _indexes(view, rows))


def _indexes(view: View, rows: Mapping[str, Sequence[Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, schema in _TABLES:
        if rows[schema.name]:
            found[name] = view.index_of("kvs" if schema is TOMBSTONES else name)
    for name in _CATALOG:
        if name in found:
            found[_LOCAL + name] = found[name]
    for node in rows[NODES.name]:
        found[f"{_LOCAL}node.{node.node.lower()}"] = max(node.modify_index, 1)
    for name in {row.service.service.lower() for row in rows[SERVICES.name]}:
        found[_LOCAL + of_service(name)] = view.index_of(of_service(name))
    if rows[SERVICES.name]:
        found |= dict.fromkeys(_OF_ALL_SERVICES, found["services"])
    if (gone := view.last_index(EXTINCTION)) is not None:
        found |= {EXTINCTION: gone, _LOCAL + EXTINCTION: gone}
    for row in rows[BOOTSTRAPPED.name]:
        found["acl-token-bootstrap"] = row.index
    return found


def write(file: BinaryIO, state: Image) -> None:
    """Write a state.  Blocks; raises OSError."""
    writer = RecordWriter(file, state.index)
    _write_catalog(writer, state)
    _write_all(writer, records.SESSION, map(store_records.session, state[SESSIONS]))
    _write_acl(writer, state)
    _write_all(writer, records.KVS, map(store_records.entry, state[KV]))
    _write_all(writer, records.TOMBSTONE, map(store_records.tombstone, state[TOMBSTONES]))
    _write_all(writer, records.QUERY, map(store_records.query, state[QUERIES]))
    _write_all(writer, records.AUTOPILOT, map(store_records.autopilot, state[AUTOPILOT]))
    _write_all(writer, records.INDEX, ({"Key": key, "Value": state.indexes[key]} for key in sorted(state.indexes)))
    writer.put(records.CHUNKING, {"ChunkMap": {}})


def _write_all(writer: RecordWriter, kind: int, values: Iterable[Any]) -> None:
    for value in values:
        writer.put(kind, value)


def _write_catalog(writer: RecordWriter, state: Image) -> None:
    services, checks = defaultdict(list), defaultdict(list)
    for row in state[SERVICES]:
        services[row.node.lower()].append(row.service)
    for check in state[CHECKS]:
        checks[check.node.lower()].append(check)
    for node in sorted(state[NODES], key=NODES.key):
        name = node.node.lower()
        writer.put(records.REGISTER, catalog_records.register(node))
        for service in sorted(services[name], key=lambda one: one.id):
            writer.put(records.REGISTER, catalog_records.register(node, service=service))
        for check in sorted(checks[name], key=lambda one: one.check_id):
            writer.put(records.REGISTER, catalog_records.register(node, check=check))
    _write_all(writer, records.COORDINATES, map(catalog_records.coordinates, state[COORDINATES]))


def _write_acl(writer: RecordWriter, state: Image) -> None:
    policy = {row.id: row.name for row in state[POLICIES]}.get
    role = {row.id: row.name for row in state[ROLES]}.get
    _write_all(writer, records.TOKEN, (acl_records.token(row, policy, role) for row in state[TOKENS]))
    _write_all(writer, records.POLICY, map(acl_records.policy, state[POLICIES]))
    _write_all(writer, records.ROLE, (acl_records.role(row, policy) for row in state[ROLES]))
    _write_all(writer, records.BINDING_RULE, map(acl_records.binding_rule, state[BINDING_RULES]))
    _write_all(writer, records.AUTH_METHOD, map(acl_records.auth_method, state[AUTH_METHODS]))


def metadata(state: Image, now: float, node_id: str, address: str) -> dict[str, Any]:
    """`meta.json`, but for the size: what Raft says of a snapshot, with this agent as the only server."""
    return {
        "Version": 1,
        "ID": f"{TERM}-{state.index}-{int(now * 1000)}",
        "Index": state.index,
        "Term": TERM,
        "Peers": None,
        "Configuration": {"Servers": [{"Suffrage": 0, "ID": node_id, "Address": address}]},
        "ConfigurationIndex": 1,
    }
