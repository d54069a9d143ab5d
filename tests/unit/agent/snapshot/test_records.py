"""Rows as records and back; whatever a state holds, what is wrong is refused with its place and without its values."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import struct
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.snapshot_files import MEMORY, NOW, OLD, RECORDED, read, restored, saved, state_of, unpacked

from pyconsul.agent.httpapi.acl_show import exact_moment, moment
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
from pyconsul.agent.snapshot import restore, save
from pyconsul.agent.snapshot.errors import SnapshotError
from pyconsul.agent.snapshot.gomsgpack import decode_time, encode_time, packer
from pyconsul.agent.snapshot.records import RecordReader
from pyconsul.agent.state.store import Store

SECRET = "the value that nobody may read"
NAMES = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=20)  # of the catalog
INDEXES = st.integers(0, 1 << 53)
PORTS = st.integers(0, 65535)
UUIDS = st.uuids().map(str)
MAPS = st.none() | st.dictionaries(PLAIN, PLAIN, max_size=3)
LISTS = st.none() | st.lists(TEXTS, max_size=3)
TTLS = st.sampled_from(["", "10s", "1m30s", "24h"])
DURATIONS = st.integers(0, (1 << 63) - 1)
HASHES = st.binary(min_size=32, max_size=32)
NANOSECONDS = st.integers(1, 253_402_300_799 * 10**9)

ENTRIES = st.builds(
    KVEntry, INDEXES, TEXTS.filter(bool), st.integers(0, (1 << 64) - 1), st.none() | st.binary(min_size=1, max_size=300),
    INDEXES, INDEXES, st.sampled_from(["", "s"]),
)  # fmt: skip
SESSIONS = st.builds(
    Session, UUIDS, TEXTS, NAMES, DURATIONS, st.sampled_from(["release", "delete"]), TTLS, LISTS,
    st.none() | st.lists(st.builds(ServiceCheck, TEXTS, TEXTS), max_size=2), INDEXES, INDEXES,
)  # fmt: skip
QUERIES = st.builds(
    PreparedQuery, id=UUIDS, name=TEXTS, session=TEXTS, token=TEXTS,
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
    """A node with a service, a check of each kind, and a coordinate."""
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


def test_links_to_policies_and_roles_have_their_names_and_what_is_gone_is_left_out() -> None:
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


# What is wrong.

PACK = packer().pack
HEADER = PACK({"LastIndex": 3})


def record(kind: int, value: Any) -> bytes:
    return bytes((kind,)) + bytes(PACK(value))


GOOD_KEY = {"Key": "a", "Value": SECRET.encode(), "CreateIndex": 1, "ModifyIndex": 1}


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        (b"", "it ends in the middle of the header"),
        (PACK({"Other": 1}), "the header lacks LastIndex"),
        (PACK({"LastIndex": 1 << 63}), "its index must be from 0 to"),
        (PACK({"LastIndex": -1}), "its index must be from 0 to"),
        (PACK({"LastIndex": (1 << 63) - 2}), "its index must be from 0 to"),
        (PACK([1]), "the header lacks LastIndex"),
        (HEADER + b"\x02", r"it ends in the middle of record 1 \(KVS\)"),
        (HEADER + record(2, GOOD_KEY)[:-1], "it ends in the middle of record 1"),
        (HEADER + record(2, GOOD_KEY) + record(2, [1]), r"record 2 \(KVS\): must be a map"),
        (HEADER + record(2, {**GOOD_KEY, "ModifyIndex": 1 << 63}), r"record 1 \(KVS\) 'a': ModifyIndex must be from"),
        (HEADER + record(2, {**GOOD_KEY, "Flags": -1}), "Flags must be from 0"),
        (HEADER + record(2, {**GOOD_KEY, "Key": 5}), "Key must be text"),
        (HEADER + record(2, {**GOOD_KEY, "Key": b"\xff"}), "Key must be UTF-8"),
        (HEADER + record(2, {**GOOD_KEY, "Key": ""}), "a key has no name"),
        (HEADER + record(6, {"Node": "x"}), "must be a list"),
        (HEADER + record(6, [{"Node": "x", "Coord": {"Vec": [float("nan")]}}]), "its numbers must be finite"),
        (HEADER + record(3, {"ID": "5132fb6d-e794-5a99-1ad7-6bde259de974", "Node": "n", "Behavior": "release", "TTL": "garbage"}),
         "TTL must be a duration"),
        (HEADER + record(3, {"ID": "x", "Node": "n", "Behavior": "release"}), "its ID must be a UUID"),
        (HEADER + record(0, {"Node": "a\nb", "Address": "x"}), "control character"),
        (HEADER + record(0, {"Node": "n", "Service": {"ID": "s", "Service": "s", "Port": 1 << 40}}), "Port must be from 0"),
        (HEADER + record(0, {"Node": "n", "Check": {"CheckID": "c", "Status": "good"}}), "Status must be one of"),
        (HEADER + record(0, {"Node": "n", "Check": {"CheckID": "c", "Status": "passing", "ServiceID": "gone"}}), "service 'gone'"),
        (HEADER + record(7, {"ID": "5132fb6d-e794-5a99-1ad7-6bde259de974", "Service": {"Service": "s"},
                             "Template": {"Type": "name_prefix_match", "Regexp": "("}}), "Bad Regexp"),
        (HEADER + record(17, {"AccessorID": "5132fb6d-e794-5a99-1ad7-6bde259de974", "SecretID": "s", "CreateTime": "x"}),
         "CreateTime must be a time"),
        (HEADER + record(19, {"ID": "5132fb6d-e794-5a99-1ad7-6bde259de974", "Name": "p", "Rules": "key {"}), "policy 'p'"),
        (HEADER + b"\x02" + b"\x91" * 3000, "nested too deeply"),
        (HEADER + b"\x02\xdd\xff\xff\xff\xff", "too large"),
        (HEADER + b"\x02\xdf\xff\xff\xff\xff", "too large"),
        (HEADER + b"\x02\xdb\xff\xff\xff\xff", "too large|ends in the middle"),
        (HEADER + b"\x02\xc1", "this is not MessagePack"),
        (HEADER + b"\x02\x81\x01\x01", "this is not MessagePack"),
        (HEADER + record(27, {"Name": "m", "Type": "jwt", "Config": json.loads('{"a":' * 60 + "1" + "}" * 60)}), "nested too"),
    ],
    ids=lambda value: value if isinstance(value, str) else "state",
)  # fmt: skip
def test_a_state_that_cannot_be_is_refused_without_its_secrets(state: bytes, refusal: str) -> None:
    with pytest.raises(SnapshotError, match=refusal) as caught:
        restored(state)
    assert SECRET not in str(caught.value)


def test_what_pyconsul_has_no_use_for_is_counted() -> None:
    entry = bytes(PACK("service-defaults")) + bytes(PACK({"Entry": {}}))
    state = HEADER + b"".join(
        [record(22, entry), record(22, b"\xc1"), record(30, {}), record(65, b"x"), record(29, {"ChunkMap": {}}),
         record(29, {"ChunkMap": {"1": []}}), record(0, {"Node": "n", "PeerName": "p"}),
         record(0, {"Node": "n", "Service": {"ID": "s", "Service": "s", "Kind": "connect-proxy"}}),
         record(27, {"Name": "K8s", "Type": "kubernetes"}),
         record(25, {"ID": "7fdea943-5750-8e8e-e88b-4503306e7c21", "AuthMethod": "k8s", "BindType": "service"})]
    )  # fmt: skip
    found = restored(state)
    assert found.left_out == {
        "ConfigEntry service-defaults": 1, "ConfigEntry": 1, "FederationState": 1, "Unknown(65)": 1, "ChunkingState": 1,
        "Register (imported from a peer)": 1, "mesh settings of a service": 1,
        "ACLAuthMethod kubernetes": 1, "ACLBindingRule of such a method": 1,
    }  # fmt: skip
    assert [table for table, _ in found.rows()] == ["nodes", "services"]


def test_control_characters_are_taken_where_the_setting_allows_them() -> None:
    state = HEADER + record(0, {"Node": "n", "Service": {"ID": "s", "Service": "s", "Tags": ["a\nb"]}})
    with pytest.raises(SnapshotError, match=r"Service\.Tags\[0\]: control character U\+000A"):
        restored(state)
    found = restore.read(io.BytesIO(state), NOW, MEMORY, allow_control_characters=True)
    assert found.tables["services"]["n", "s"].service.tags == ["a\nb"]


def test_rows_are_bounded_by_memory() -> None:
    state = HEADER + b"".join(record(2, {"Key": f"k{number}"}) for number in range(1000))
    assert len(restored(state).rows()) == 1000
    with pytest.raises(SnapshotError, match="more memory than this machine has free"):
        restored(state, memory=100_000)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to all values within a value."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return value


WRONG: tuple[Any, ...] = (
    None,
    True,
    1 << 63,
    -(1 << 63),
    1.5,
    float("inf"),
    "garbage",
    b"\xff\xfe",
    [],
    [[]],
    {},
    {"x": {}},
)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings (../shared/conformance) are not here")
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_a_wrong_value_in_any_field_is_refused_or_leaves_a_state_that_can_be_saved(wrong: Any) -> None:
    all_records = list(RecordReader(io.BytesIO(unpacked((RECORDED / "acl.snap").read_bytes())["state.bin"])))
    for number, one in enumerate(all_records):
        for path in places(one.value):
            state = HEADER + b"".join(
                record(other.kind, changed(other.value, path, wrong) if place == number else other.value)
                for place, other in enumerate(all_records)
                if other.kind == one.kind or number == place or other.kind in (0, 27)
            )
            try:
                found = restored(state)
            except SnapshotError:
                continue
            again = restored(state_of(found.rows(), found.index))
            assert len(again.rows()) == len(found.rows())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100))
def test_random_bytes_give_no_other_error(data: bytes) -> None:
    for state in (data, HEADER + data):
        with contextlib.suppress(SnapshotError):
            assert restored(state).index >= 0


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_flipped_byte_gives_no_other_error(data: st.DataObject) -> None:
    good = STATE
    place = data.draw(st.integers(0, len(good) - 1))
    bad = good[:place] + bytes([data.draw(st.integers(0, 255))]) + good[place + 1 :]
    with contextlib.suppress(SnapshotError):
        assert restored(bad).index >= 0


STATE = state_of(read(OLD.read_bytes()).rows(), 14)


def test_an_older_snapshot_of_pyconsul_is_read() -> None:
    found = read(OLD.read_bytes())
    assert found.index == 14
    assert sorted(found.tables["kvs"]) == ["app/a", "app/binary", "lock"]
    assert found.tables["kvs"]["app/binary"].value == b"\0\1\xff"
    assert {row.node for row in found.tables["nodes"].values()} == {"n1", "other"}
    assert found.tables["checks"]["other", "c"].definition == {"TCP": "10.0.0.9:5432", "Interval": "10s"}
    assert (
        len(found.tables["sessions"]) == len(found.tables["prepared-queries"]) == len(found.tables["coordinates"]) == 1
    )
    assert {row.secret_id for row in found.tables["acl_tokens"].values()} >= {"bbbbbbbb-0000-0000-0000-000000000001"}
    assert restored(STATE).tables["kvs"] == found.tables["kvs"]
    assert saved(found.rows())


def frame(value: object) -> bytes:
    data = bytes(msgpack.packb(value))
    return struct.pack(">I", len(data)) + data


HEAD = frame({"format": 1, "index": 3})
END = frame({"table": "", "rows": 0})


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        (frame({"format": 2, "index": 3}), "it has format 2"),
        (frame({"format": 1, "index": 1 << 62}) + END, "its index must be"),
        (frame({"table": 1}), "the head cannot be read"),
        (HEAD + frame({"table": "nosuch", "rows": 0}), "unknown table 'nosuch'"),
        (HEAD + frame({"table": "lock_delays", "rows": 0}), "unknown table 'lock_delays'"),
        (HEAD + frame({"table": "kvs", "rows": 1}) + frame({"Key": SECRET}), "a row of kvs cannot be read"),
        (HEAD + frame({"table": "kvs", "rows": 1}), "it ends in the middle of a row of kvs"),
        (HEAD + END + b"x", "something follows the end"),
        (HEAD + b"\xff\xff\xff\xff", "is impossible"),
        (HEAD, "ends in the middle"),
    ],
    ids=lambda value: value if isinstance(value, str) else "state",
)
def test_an_older_state_that_cannot_be_is_refused(state: bytes, refusal: str) -> None:
    with pytest.raises(SnapshotError, match=refusal) as caught:
        restored(state, MEMORY)
    assert SECRET not in str(caught.value)
