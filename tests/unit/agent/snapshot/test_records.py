"""Rows as records and back, whatever a state holds."""

from __future__ import annotations

import io
import struct
from typing import Any
from uuid import UUID

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st
from support.snapshot_files import NOW, restored, state_of

from pyconsul.agent.httpapi.handlers.acl.show import exact_moment, moment
from pyconsul.agent.model.acl import (
    AuthMethod,
    BindingRule,
    Bootstrapped,
    Grants,
    NodeIdentity,
    Policy,
    Role,
    ServiceIdentity,
    TemplatedPolicy,
    Token,
)
from pyconsul.agent.model.autopilot import AutopilotSettings
from pyconsul.agent.model.check import STATES, HealthCheck
from pyconsul.agent.model.coordinate import Coordinate, NodeCoordinate
from pyconsul.agent.model.kv import KVEntry, LockDelay, Tombstone
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.query import Failover, FailoverTarget, PreparedQuery, QueryDNS, ServiceQuery, Template
from pyconsul.agent.model.service import NodeService, ServiceAddress, ServiceInstance, Weights
from pyconsul.agent.model.session import ServiceCheck, Session
from pyconsul.agent.snapshot import save
from pyconsul.agent.snapshot.gomsgpack import decode_time, encode_time
from pyconsul.agent.snapshot.records import RecordReader
from pyconsul.agent.state.store import Store

NAMES = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=20)  # of the catalog
INDEXES = st.integers(0, 1 << 53)
PORTS = st.integers(0, 65535)
UUIDS = st.uuids().map(str)
MAPS = st.none() | st.dictionaries(PLAIN, PLAIN, max_size=3)
LISTS = st.none() | st.lists(PLAIN, max_size=3)
TTLS = st.sampled_from(["", "10s", "1m30s", "24h"])
DURATIONS = st.integers(0, (1 << 63) - 1)
HASHES = st.binary(min_size=32, max_size=32)
NANOSECONDS = st.integers(1, 253_402_300_799 * 10**9)

ENTRIES = st.builds(
    KVEntry, INDEXES, TEXTS.filter(bool), st.integers(0, (1 << 64) - 1), st.none() | st.binary(min_size=1, max_size=300),
    INDEXES, INDEXES, st.sampled_from(["", "s"]),
)  # fmt: skip
SESSIONS = st.builds(
    Session, UUIDS, PLAIN, NAMES, DURATIONS, st.sampled_from(["release", "delete"]), TTLS, LISTS,
    st.none() | st.lists(st.builds(ServiceCheck, PLAIN, PLAIN), max_size=2), INDEXES, INDEXES,
)  # fmt: skip
QUERIES = st.builds(
    PreparedQuery, id=UUIDS, name=PLAIN, session=PLAIN, token=TEXTS,
    template=st.just(Template()) | st.just(Template("name_prefix_match", "^a(.*)$", True)),
    service=st.builds(
        ServiceQuery, NAMES.filter(lambda name: "$" not in name), st.just(""),
        st.builds(Failover, st.integers(0, 9), LISTS, st.none() | st.just([FailoverTarget("", "dc2"), FailoverTarget("p")])),
        st.booleans(), st.none() | st.just(["c"]), st.sampled_from(["", "_agent"]), st.none() | st.just(["a", "!b"]),
        st.none() | st.just({"k": "v"}), st.none() | st.just({"k": "v"}), st.booleans(), st.just(""),
    ),
    dns=st.builds(QueryDNS, TTLS), create_index=INDEXES, modify_index=INDEXES,
)  # fmt: skip
GRANTS = st.builds(
    Grants, policies=st.just(()), roles=st.just(()),
    service_identities=st.lists(st.builds(ServiceIdentity, NAMES, st.lists(NAMES, max_size=2).map(tuple)), max_size=2).map(tuple),
    node_identities=st.lists(st.builds(NodeIdentity, NAMES, NAMES), max_size=2).map(tuple),
    templated_policies=st.lists(
        st.builds(TemplatedPolicy, NAMES, NAMES, st.none() | NAMES, st.lists(NAMES, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
)  # fmt: skip
AUTOPILOT = st.builds(
    AutopilotSettings, cleanup_dead_servers=st.booleans(), last_contact_threshold=DURATIONS, max_trailing_logs=PORTS,
    min_quorum=PORTS, server_stabilization_time=DURATIONS, redundancy_zone_tag=TEXTS, disable_upgrade_migration=st.booleans(),
    upgrade_version_tag=TEXTS, create_index=INDEXES, modify_index=INDEXES,
)  # fmt: skip
POLICIES = st.builds(
    Policy, id=UUIDS, name=NAMES, description=TEXTS, rules=st.sampled_from(["", 'key "a" { policy = "read" }']),
    datacenters=st.lists(NAMES, max_size=2).map(tuple), hash=HASHES, create_index=INDEXES, modify_index=INDEXES,
)  # fmt: skip
ROLES = st.builds(
    Role,
    id=UUIDS,
    name=NAMES,
    description=TEXTS,
    grants=GRANTS,
    hash=HASHES,
    create_index=INDEXES,
    modify_index=INDEXES,
)
METHODS = st.builds(
    AuthMethod, name=NAMES, type=st.just("jwt"), display_name=TEXTS, description=TEXTS, max_token_ttl=DURATIONS,
    token_locality=st.sampled_from(["", "local"]), token_name_format=TEXTS,
    config=st.builds(
        lambda names: {"JWKSURL": "https://x/", "BoundAudiences": names, "ClaimMappings": {"a": "b"}}, st.lists(TEXTS, max_size=2)
    ),
    create_index=INDEXES, modify_index=INDEXES,
)  # fmt: skip


@st.composite
def tokens(draw: st.DrawFn) -> Token:
    created, expires = draw(NANOSECONDS), draw(st.none() | NANOSECONDS)
    return Token(
        accessor_id=draw(UUIDS), secret_id=draw(UUIDS), description=draw(TEXTS), grants=draw(GRANTS), local=draw(st.booleans()),
        auth_method=draw(TEXTS), created=created / 1e9, created_ns=created, expires=None if expires is None else expires / 1e9,
        expires_ns=expires or 0, hash=draw(HASHES), create_index=draw(INDEXES), modify_index=draw(INDEXES),
    )  # fmt: skip


@st.composite
def catalogs(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Return a node with a service, a check of each kind, and a coordinate."""
    node = Node(
        draw(st.just("") | UUIDS), draw(NAMES), draw(PLAIN), "dc1", draw(MAPS), draw(MAPS), draw(INDEXES), draw(INDEXES)
    )
    service = NodeService(
        id=draw(NAMES), service=draw(NAMES), tags=draw(st.lists(PLAIN, max_size=2)), address=draw(PLAIN), meta=draw(MAPS),
        weights=draw(st.builds(Weights, PORTS, PORTS)), enable_tag_override=draw(st.booleans()), create_index=draw(INDEXES),
        modify_index=draw(INDEXES), port=draw(PORTS), socket_path=draw(PLAIN),
        tagged_addresses=draw(st.none() | st.dictionaries(NAMES, st.builds(ServiceAddress, PLAIN, PORTS), max_size=2)),
    )  # fmt: skip
    definition: dict[str, Any] = draw(st.sampled_from([
        {}, {"HTTP": "http://x/", "Interval": "10s", "Header": {"A": ["b", "c"]}, "TLSSkipVerify": True, "OutputMaxSize": 9},
        {"ScriptArgs": ["a", "b"], "Timeout": "1.5s", "TTL": "30s", "DeregisterCriticalServiceAfter": "1h0m0s"},
    ]))  # fmt: skip
    checks = [
        HealthCheck(
            node.node, check_id, draw(PLAIN), draw(st.sampled_from(STATES)), draw(PLAIN), draw(PLAIN), service_id,
            service.service if service_id else "", service.tags if service_id else [], draw(PLAIN), draw(PLAIN), draw(PLAIN),
            definition, draw(INDEXES), draw(INDEXES),
        ) for check_id, service_id in (("c1", ""), ("c2", service.id))
    ]  # fmt: skip
    finite = st.floats(allow_nan=False, allow_infinity=False)
    point = draw(st.builds(Coordinate, st.lists(finite, max_size=8), finite, finite, finite))
    return [
        ("nodes", node), ("services", ServiceInstance(node.node, service)), *(("checks", one) for one in checks),
        ("coordinates", NodeCoordinate(node.node, draw(PLAIN), point)),
    ]  # fmt: skip


ROWS = st.one_of(
    ENTRIES.map(lambda row: [("kvs", row)]),
    st.builds(lambda key, index: [("tombstones", Tombstone(key, index, NOW))], TEXTS.filter(bool), INDEXES),
    SESSIONS.map(lambda row: [("sessions", row)]),
    QUERIES.map(lambda row: [("prepared-queries", row)]),
    AUTOPILOT.map(lambda row: [("autopilot", row)]),
    tokens().map(lambda row: [("acl_tokens", row)]),
    POLICIES.map(lambda row: [("acl_policies", row)]),
    ROLES.map(lambda row: [("acl_roles", row)]),
    METHODS.map(
        lambda row: [
            ("acl_auth_methods", row),
            ("acl_binding_rules", BindingRule(
                id="7fdea943-5750-8e8e-e88b-4503306e7c21", auth_method=row.name, bind_type="service", bind_name="x",
                selector="value.a==b", bind_vars={"Name": "y"},
            )),
        ]
    ),
    st.just([("acl_bootstrapped", Bootstrapped("bootstrap", 9))]),
    catalogs(),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(ROWS, INDEXES)
def test_every_row_comes_back(rows: list[tuple[str, Any]], index: int) -> None:
    found = restored(state_of(rows, index))
    assert sorted(found.rows(), key=repr) == sorted(rows, key=repr)
    assert found.index >= index
    assert not found.left_out


def test_links_have_current_names_and_deleted_rows_are_left_out() -> None:
    policy = Policy(id="5e62f867-fb87-bc9d-28b7-90cc7e36515b", name="p")
    role = Role(id="1a9bb1bf-abbd-0f72-f501-dc917ae4ede9", name="r", grants=Grants(policies=(policy.id, "gone")))
    data = state_of([("acl_policies", policy), ("acl_roles", role)])
    written = [record.value for record in RecordReader(io.BytesIO(data)) if record.kind == 23]
    assert written[0]["Policies"] == [{"ID": policy.id, "Name": "p"}]
    assert restored(data).tables["acl_roles"][role.id].grants.policies == (policy.id,)


def test_rows_that_are_not_durable_stay_behind() -> None:
    assert restored(state_of([("lock_delays", LockDelay("k", 9.0))])).rows() == []


def test_an_image_does_not_change_with_the_state() -> None:
    store = Store([("kvs", KVEntry(0, "a", 0, None, 1, 1))], 7)
    taken = save.image(store)
    store.replace([], 9)
    assert (taken.index, len(taken.rows["kvs"]), taken.indexes) == (7, 1, {"kvs": 7, **_extinction(7)})


def _extinction(index: int) -> dict[str, int]:
    return {"service_last_extinction": index, "peer.~:service_last_extinction": index}


def test_the_restored_index_is_not_below_any_row() -> None:
    assert restored(state_of([("kvs", KVEntry(0, "a", 0, None, 5, 900))], 7)).index == 900


@given(st.integers(-62_135_596_800 * 10**9, 253_402_300_799 * 10**9))
def test_times_keep_their_nanoseconds(unix_ns: int) -> None:
    assert decode_time(encode_time(unix_ns)) == unix_ns


@given(st.floats(1, 4e9))
def test_a_time_in_seconds_is_written_as_the_api_shows_it(seconds: float) -> None:
    token = Token(accessor_id=str(UUID(int=1)), secret_id="s", created=seconds)
    found = restored(state_of([("acl_tokens", token)])).tables["acl_tokens"][token.accessor_id]
    assert exact_moment(found.created_ns, found.created) == moment(seconds)


def test_times_of_other_versions_are_read() -> None:
    assert decode_time(struct.pack(">BqIhb", 2, 62_135_596_800 + 5, 7, 60, 30)) == 5 * 10**9 + 7
    assert decode_time(msgpack.Timestamp(5, 7)) == 5 * 10**9 + 7
