"""Snapshots that are wrong are refused with the place and without values; older ones of pyconsul are read."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import struct
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.snapshot_files import MEMORY, NOW, OLD, RECORDED, read, restored, saved, state_of, unpacked

from pyconsul.agent.snapshot import restore
from pyconsul.agent.snapshot.errors import SnapshotError
from pyconsul.agent.snapshot.gomsgpack import packer
from pyconsul.agent.snapshot.records import RecordReader

SECRET = "the value that nobody may read"

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
        (HEADER + record(3, {"ID": "5132fb6d-e794-5a99-1ad7-6bde259de974", "Node": "n", "Name": "a\nb", "Behavior": "release"}),
         "session .*Name: control character"),
        (HEADER + record(7, {"ID": "5132fb6d-e794-5a99-1ad7-6bde259de974", "Service": {"Service": "s", "Near": "a\nb"}}),
         "prepared query .*Service.Near: control character"),
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


def test_unsupported_records_are_counted() -> None:
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
    """Yield the paths to all values within a value."""
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
