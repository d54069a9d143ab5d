"""Snapshots that the real Consul saved: read, and written again record by record as they were."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from support.snapshot_files import RECORDED, read, state_of, unpacked

from pyconsul.agent.snapshot.inspect import decode, inspect
from pyconsul.agent.snapshot.records import CONFIG_ENTRY, INDEX, Record, RecordReader

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings (../shared/conformance) are not here")
NOT_OURS = {CONFIG_ENTRY, 30, 31, INDEX}  # indexes of one server move on; the others are left out
LEFT_OUT = {
    "plain": {"ConfigEntry service-defaults": 1, "FederationState": 1},
    "acl": {"ConfigEntry service-defaults": 1, "FederationState": 1, "SystemMetadata": 1},
}


def records(state: bytes) -> list[Record]:
    return list(RecordReader(io.BytesIO(state)))


def comparable(record: Record) -> tuple[int, int, Any]:
    value = record.value
    if isinstance(value, dict) and "CreateTime" in value:
        # The end of a time is the server's zone; of what a token grants, nil and empty are the same.
        value = {key: None if part == [] else part for key, part in value.items()}
        value["CreateTime"] = value["CreateTime"][:-2]
    return record.kind, record.size, value


@pytest.mark.parametrize("name", ["plain", "acl"])
def test_every_record_is_written_as_consul_wrote_it(name: str) -> None:
    data = (RECORDED / f"{name}.snap").read_bytes()
    found = read(data)
    assert found.left_out == LEFT_OUT[name]
    theirs = records(unpacked(data)["state.bin"])
    ours = records(state_of(found.rows(), found.index))

    def kept(all_records: list[Record]) -> list[tuple[int, int, Any]]:
        return sorted((comparable(one) for one in all_records if one.kind not in NOT_OURS), key=repr)

    assert kept(ours) == kept(theirs)
    kinds = [one.kind for one in ours]
    assert list(dict.fromkeys(kinds)) == [kind for kind in dict.fromkeys(one.kind for one in theirs) if kind in kinds]


@pytest.mark.parametrize("name", ["plain", "acl"])
def test_fields_are_written_in_consul_s_order(name: str) -> None:
    found = read((RECORDED / f"{name}.snap").read_bytes())
    for record in records(state_of(found.rows(), found.index)):
        if isinstance(record.value, dict):
            assert list(record.value) == sorted(record.value)


@pytest.mark.parametrize("name", ["plain", "acl"])
def test_indexes_have_consul_s_names(name: str) -> None:
    data = (RECORDED / f"{name}.snap").read_bytes()
    found = read(data)

    def names(state: bytes) -> set[str]:
        return {one.value["Key"] for one in records(state) if one.kind == INDEX}

    missing = names(unpacked(data)["state.bin"]) - names(state_of(found.rows(), found.index))
    assert missing <= {"config-entries", "federation-states", "system-metadata"}


@pytest.mark.parametrize("name", ["plain", "acl"])
def test_inspection_counts_as_consul_does(name: str) -> None:
    path = RECORDED / f"{name}.snap"
    recorded = json.loads((RECORDED / name / "inspect.json").read_text())
    found = inspect(str(path))
    assert found.kinds == {entry["Name"]: (entry["Count"], entry["Sum"]) for entry in recorded["Stats"]}
    assert {key: found.meta[key] for key in recorded["Meta"]} == recorded["Meta"]


def test_inspection_counts_keys_by_prefix() -> None:
    found = inspect(str(RECORDED / "plain.snap"), depth=1, prefix="app/")
    assert found.prefixes == {"app": (5, 418)}


def test_contents_are_lines_of_json() -> None:
    lines = [json.loads(line) for line in decode(str(RECORDED / "acl.snap"))]
    assert lines[0]["Type"] == "SnapshotHeader"
    by_type: dict[str, list[Any]] = {}
    for line in lines:
        by_type.setdefault(line["Type"], []).append(line["Data"])
    assert {entry["Key"]: entry["Value"] for entry in by_type["KVS"]}["app/binary"] == "AAH//g=="
    assert by_type["ACLToken"][0]["CreateTime"] == "2026-11-28T21:40:11.190178592Z"
    assert by_type["ConfigEntry"][0]["Entry"]["Name"] == "postgres"


def test_a_state_file_with_its_metadata_beside_it_is_read(tmp_path: Any) -> None:
    files = unpacked((RECORDED / "plain.snap").read_bytes())
    for name in ("meta.json", "state.bin"):
        (tmp_path / name).write_bytes(files[name])
    assert inspect(str(tmp_path / "state.bin")).kinds == inspect(str(RECORDED / "plain.snap")).kinds
