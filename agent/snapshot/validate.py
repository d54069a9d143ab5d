"""Rows of a snapshot are held to the rules of the API's input, so that the agent starts and works with whatever was restored.

Names of rows stand in the errors, values never: a value may be a secret.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyconsul.agent.acl.methods.binding import BIND_TYPES
from pyconsul.agent.acl.methods.jwtmethod import Claims, check_config
from pyconsul.agent.acl.methods.methodconfig import ConfigError
from pyconsul.agent.acl.parse import RuleError, parse_rules
from pyconsul.agent.common.go.durations import SECOND_NS, parse_go_duration_ns
from pyconsul.agent.common.uuids import is_uuid
from pyconsul.agent.filter.compile import compile_filter
from pyconsul.agent.filter.error import FilterError
from pyconsul.agent.model.acl import ANONYMOUS_SECRET, AuthMethod, BindingRule, Policy, Role, Token
from pyconsul.agent.model.check import STATES, HealthCheck
from pyconsul.agent.model.control_characters import fault_of_check, fault_of_fields, fault_of_node, fault_of_service
from pyconsul.agent.model.coordinate import NodeCoordinate, is_valid
from pyconsul.agent.model.kv import KVEntry, Tombstone
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.model.service import ServiceInstance
from pyconsul.agent.model.session import Session
from pyconsul.agent.queries.template import check_template
from pyconsul.agent.snapshot.errors import SnapshotError
from pyconsul.agent.snapshot.fields import INT64, MAX_INDEX
from pyconsul.agent.state.acl.tables import AUTH_METHODS, BINDING_RULES, POLICIES, ROLES, TOKENS
from pyconsul.agent.state.contract import Key, Refused
from pyconsul.agent.state.schemas import CHECKS, COORDINATES, KV, NODES, QUERIES, SERVICES, SESSIONS, TOMBSTONES
from pyconsul.agent.state.sessions import DELETE, RELEASE

Tables = Mapping[str, Mapping[Key, Any]]

MAX_SESSION_TTL = 24 * 3600 * SECOND_NS
MAX_DIMENSIONS = 64  # of a coordinate
LAST_SECOND = 253_402_300_799  # of the year 9999


def validate(tables: Tables, allow_control_characters: bool = False) -> None:
    """Raises SnapshotError for the first row that the API would not have let in."""
    if not allow_control_characters:
        _refuse_control_characters(tables)
    for table, rows in tables.items():
        check = _CHECKS.get(table)
        for row in rows.values():
            _check_indexes(table, row)
            if check is not None:
                check(row, tables)
    _refuse_twins("nodes", "ID", (row.id.lower() for row in tables[NODES.name].values() if row.id))
    _refuse_twins("tokens", "SecretID", (row.secret_id for row in tables[TOKENS.name].values()))
    _refuse_twins("policies", "name", (row.name.lower() for row in tables[POLICIES.name].values()))
    _refuse_twins("roles", "name", (row.name.lower() for row in tables[ROLES.name].values()))


def _refuse_control_characters(tables: Tables) -> None:
    """As in registrations; the names of ACL objects may never have any."""
    for node in tables[NODES.name].values():
        if fault := fault_of_node(node):
            raise _refuse("node", node.node, fault)
    for row in tables[SERVICES.name].values():
        if fault := fault_of_service(row.service):
            raise _refuse("service", row.service.id, fault)
    for check in tables[CHECKS.name].values():
        if fault := fault_of_check(check):
            raise _refuse("check", check.check_id, fault)
    for kind, table in (("prepared query", QUERIES), ("session", SESSIONS), ("coordinate of node", COORDINATES)):
        for row in tables[table.name].values():
            if fault := fault_of_fields(row):
                raise _refuse(kind, getattr(row, "id", "") or row.node, fault)


def _refuse(kind: str, name: str, problem: str) -> SnapshotError:
    return SnapshotError(f"{kind} {name!r}: {problem}")


def _refuse_twins(kind: str, field: str, values: Iterable[str]) -> None:
    found: set[str] = set()
    for value in values:
        if value in found:
            raise SnapshotError(f"two {kind} have the same {field}")
        found.add(value)


def _check_indexes(table: str, row: Any) -> None:
    row = row.service if isinstance(row, ServiceInstance) else row
    for name in ("create_index", "modify_index", "index", "lock_index"):
        value = getattr(row, name, 0)
        if not 0 <= value <= MAX_INDEX:
            raise SnapshotError(f"a row of {table}: {name} must be from 0 to {MAX_INDEX}")


def _name(kind: str, name: str) -> None:
    if not name:
        raise SnapshotError(f"a {kind} has no name")


def _uuid(kind: str, name: str, value: str) -> None:
    if not is_uuid(value):
        raise _refuse(kind, name, "its ID must be a UUID")


def _duration(kind: str, name: str, field: str, text: str, most: int = INT64 - 1) -> None:
    try:
        value = parse_go_duration_ns(text) if text else 0
    except ValueError:
        raise _refuse(kind, name, f'{field} must be a duration such as "10s"') from None
    if not 0 <= value <= most:
        raise _refuse(kind, name, f"{field} is out of bounds")


def _int64(kind: str, name: str, field: str, value: int) -> None:
    if not -INT64 <= value < INT64:
        raise _refuse(kind, name, f"{field} must be a 64-bit integer")


def _key(row: KVEntry, tables: Tables) -> None:
    if not row.key:
        raise SnapshotError("a key has no name")
    if not 0 <= row.flags < 1 << 64:
        raise _refuse("key", row.key, "Flags must be an unsigned 64-bit integer")


def _tombstone(row: Tombstone, tables: Tables) -> None:
    if not row.key:
        raise SnapshotError("a tombstone has no key")
    if not 0 <= row.time <= LAST_SECOND:
        raise _refuse("tombstone", row.key, "its time is out of bounds")


def _node(row: Node, tables: Tables) -> None:
    _name("node", row.node)
    if row.id:
        _uuid("node", row.node, row.id)


def _service(row: ServiceInstance, tables: Tables) -> None:
    service = row.service
    _name("service", service.service)
    _name("service", service.id)
    numbers = [service.port, service.weights.passing, service.weights.warning]
    numbers += [one.port for one in (service.tagged_addresses or {}).values()]
    if not all(0 <= number <= 65535 for number in numbers):
        raise _refuse("service", service.id, "ports and weights must be from 0 to 65535")
    if row.node.lower() not in tables[NODES.name]:
        raise _refuse("service", service.id, f"its node {row.node!r} is missing")


def _check(row: HealthCheck, tables: Tables) -> None:
    _name("check", row.check_id)
    if row.status not in STATES:
        raise _refuse("check", row.check_id, f"Status must be one of {', '.join(STATES)}")
    if row.node.lower() not in tables[NODES.name]:
        raise _refuse("check", row.check_id, f"its node {row.node!r} is missing")
    if row.service_id and (row.node.lower(), row.service_id) not in tables[SERVICES.name]:
        raise _refuse("check", row.check_id, f"its service {row.service_id!r} is missing")


def _session(row: Session, tables: Tables) -> None:
    _uuid("session", row.id, row.id)
    if row.behavior not in (RELEASE, DELETE):
        raise _refuse("session", row.id, f"Behavior must be {RELEASE} or {DELETE}")
    if not row.node:
        raise _refuse("session", row.id, "it has no node")
    _int64("session", row.id, "LockDelay", row.lock_delay)
    _duration("session", row.id, "TTL", row.ttl, MAX_SESSION_TTL)


def _query(row: PreparedQuery, tables: Tables) -> None:
    _uuid("prepared query", row.id, row.id)
    if not row.service.service:
        raise _refuse("prepared query", row.id, "it names no service")
    if not 0 <= row.service.failover.nearest_n < INT64:
        raise _refuse("prepared query", row.id, "NearestN must not be negative")
    _duration("prepared query", row.id, "DNS TTL", row.dns.ttl)
    if row.template.type:
        try:
            check_template(row)
        except Refused as error:
            raise _refuse("prepared query", row.id, str(error)) from None


def _coordinate(row: NodeCoordinate, tables: Tables) -> None:
    if not is_valid(row.coord) or len(row.coord.vec) > MAX_DIMENSIONS:
        raise _refuse("coordinate of node", row.node, "its numbers must be finite")


def _token(row: Token, tables: Tables) -> None:
    _uuid("token", row.accessor_id, row.accessor_id)
    if not row.secret_id or (row.secret_id == ANONYMOUS_SECRET and not row.accessor_id.endswith("2")):
        raise _refuse("token", row.accessor_id, "it has no SecretID of its own")
    for seconds in (row.created, row.expires or 0.0):
        if not (math.isfinite(seconds) and 0 <= seconds <= LAST_SECOND):
            raise _refuse("token", row.accessor_id, "a time is out of bounds")


def _policy(row: Policy, tables: Tables) -> None:
    _uuid("policy", row.id, row.id)
    _name("policy", row.name)
    try:
        parse_rules(row.rules)
    except RuleError as error:
        raise _refuse("policy", row.name, str(error)) from None


def _role(row: Role, tables: Tables) -> None:
    _uuid("role", row.id, row.id)
    _name("role", row.name)


def _auth_method(row: AuthMethod, tables: Tables) -> None:
    _name("auth method", row.name)
    if row.type != "jwt":
        raise _refuse("auth method", row.name, "its type is not supported")
    if not 0 <= row.max_token_ttl < INT64:
        raise _refuse("auth method", row.name, "MaxTokenTTL is out of bounds")
    try:
        check_config(row.config)
    except ConfigError as error:
        raise _refuse("auth method", row.name, str(error)) from None


def _binding_rule(row: BindingRule, tables: Tables) -> None:
    _uuid("binding rule", row.id, row.id)
    if row.bind_type not in BIND_TYPES:
        raise _refuse("binding rule", row.id, f"BindType must be one of {', '.join(BIND_TYPES)}")
    if row.auth_method.lower() not in tables[AUTH_METHODS.name]:
        raise _refuse("binding rule", row.id, f"its auth method {row.auth_method!r} is missing")
    if row.selector:
        try:
            compile_filter(row.selector, Claims)
        except FilterError:
            raise _refuse("binding rule", row.id, "its Selector cannot be read") from None


_CHECKS: dict[str, Callable[[Any, Tables], None]] = {
    KV.name: _key,
    TOMBSTONES.name: _tombstone,
    NODES.name: _node,
    SERVICES.name: _service,
    CHECKS.name: _check,
    SESSIONS.name: _session,
    QUERIES.name: _query,
    COORDINATES.name: _coordinate,
    TOKENS.name: _token,
    POLICIES.name: _policy,
    ROLES.name: _role,
    AUTH_METHODS.name: _auth_method,
    BINDING_RULES.name: _binding_rule,
}
