"""Snapshots: what is written is read again, and whatever is damaged is refused as a whole."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import struct
import tarfile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.engine import archive
from pyconsul.agent.engine.snapshot import Image, SnapshotError, image, read, write
from pyconsul.agent.model.coordinate import ORIGIN, NodeCoordinate
from pyconsul.agent.model.kv import KVEntry, LockDelay, Tombstone
from pyconsul.agent.model.query import PreparedQuery, ServiceQuery
from pyconsul.agent.state.schemas import ALL
from pyconsul.agent.state.store import Store

NOW = 1_700_000_000.5
SECRET = b"the value that nobody may read"
ROWS = [
    ("kvs", KVEntry(1, "a/ü", (1 << 64) - 1, SECRET, 3, 4, "s")),
    ("kvs", KVEntry(0, "b", 0, None, 5, 5)),
    ("tombstones", Tombstone("gone", 6, NOW)),
    ("prepared-queries", PreparedQuery(id="1", name="q", service=ServiceQuery("web", tags=["!x"]))),
    ("coordinates", NodeCoordinate("n", "", ORIGIN)),
]


def saved(rows: list[tuple[str, object]] = ROWS, index: int = 7) -> bytes:
    store = Store(rows, index)
    with archive.write(image(store, ALL), NOW) as file:
        return file.read()


def unpacked(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {}
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            found[member.name] = content.read()
        return found


def packed(files: dict[str, bytes], sums: bool = True) -> bytes:
    if sums:
        lines = [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in files.items() if name != "SHA256SUMS"]
        files = {**files, "SHA256SUMS": "\n".join(lines).encode()}
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def test_what_was_saved_is_read_again() -> None:
    rows, index = archive.read(saved(), ALL)
    assert index == 7
    assert sorted(rows, key=repr) == sorted(ROWS, key=repr)


def test_rows_that_are_not_durable_stay_behind() -> None:
    assert archive.read(saved([("lock_delays", LockDelay("k", 9.0))]), ALL) == ([], 7)


def test_the_layout_is_consul_s() -> None:
    files = unpacked(saved())
    assert list(files) == ["meta.json", "state.bin", "SHA256SUMS"]
    meta = json.loads(files["meta.json"])
    assert (meta["Version"], meta["Index"], meta["Size"]) == (1, 7, len(files["state.bin"]))
    assert meta["ID"] == "2-7-1700000000500"
    assert {stat["Name"]: stat["Count"] for stat in meta["Stats"]} == {
        "kvs": 2, "tombstones": 1, "prepared-queries": 1, "coordinates": 1,
    }  # fmt: skip
    for line in files["SHA256SUMS"].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(files[name]).hexdigest() == digest


KEYS = st.text(max_size=8)
ENTRIES = st.builds(
    KVEntry, st.integers(0, 9), KEYS, st.integers(0, (1 << 64) - 1), st.none() | st.binary(min_size=1, max_size=50),
    st.integers(1, 1 << 62), st.integers(1, 1 << 62), st.sampled_from(["", "s"]),
)  # fmt: skip


@given(st.dictionaries(KEYS, ENTRIES, max_size=10), st.integers(0, 1 << 62))
def test_any_state_comes_back(entries: dict[str, KVEntry], index: int) -> None:
    rows = [("kvs", entry) for entry in {entry.key: entry for entry in entries.values()}.values()]
    file = io.BytesIO()
    write(file, image(Store(rows, index), ALL))
    file.seek(0)
    found, found_index = read(file, ALL)
    assert (sorted(found, key=repr), found_index) == (sorted(rows, key=repr), index)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_byte_is_noticed_or_harmless(data: st.DataObject) -> None:
    good = saved()
    place = data.draw(st.integers(0, len(good) - 1))
    bad = good[:place] + bytes([good[place] ^ data.draw(st.integers(1, 255))]) + good[place + 1 :]
    with contextlib.suppress(SnapshotError):
        rows, index = archive.read(bad, ALL)  # a header's date or name, which says nothing of the state
        assert (sorted(rows, key=repr), index) == (sorted(ROWS, key=repr), 7)


@given(st.integers(0, len(saved()) - 60))
@settings(max_examples=30, deadline=None)
def test_a_part_is_refused(length: int) -> None:
    with pytest.raises(SnapshotError):
        archive.read(saved()[:length], ALL)


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"", "failed to decompress snapshot: EOF"),
        (b"\x1f\x8b", "failed to decompress snapshot: unexpected EOF"),
        (b"this is no snapshot", "failed to decompress snapshot: gzip: invalid header"),
        (gzip.compress(b"no tar at all", mtime=0), "failed to read snapshot file"),
        (packed({"other": b"x"}), "unexpected file 'other' in snapshot"),
        (packed({"meta.json": b"{}"}), 'file missing for "state.bin"'),
        (packed({"meta.json": b"{}", "state.bin": b"x"}, sums=False), 'list missing hash for "meta.json"'),
        (packed({"meta.json": b"{}", "state.bin": b"x", "SHA256SUMS": b"00  meta.json\n00  state.bin"}, sums=False), "hash"),
        (packed({"meta.json": b"{}", "state.bin": b""}), "it ends in the middle of the head"),
    ],
)  # fmt: skip
def test_what_is_no_snapshot(data: bytes, refusal: str) -> None:
    with pytest.raises(SnapshotError, match=refusal):
        archive.read(data, ALL)


def frame(value: object) -> bytes:
    data = msgspec.msgpack.encode(value)
    return struct.pack(">I", len(data)) + data


HEAD = frame({"format": 1, "index": 3})
END = frame({"table": "", "rows": 0})


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        (frame({"format": 2, "index": 3}), "newer pyconsul"),
        (frame({"table": 1}), "the head cannot be read"),
        (HEAD + frame({"table": "nosuch", "rows": 0}), "unknown table 'nosuch'"),
        (HEAD + frame({"table": "lock_delays", "rows": 0}), "unknown table 'lock_delays'"),
        (HEAD + frame({"table": "kvs", "rows": 1}) + frame({"Key": SECRET}), "a row of kvs cannot be read"),
        (HEAD + frame({"table": "kvs", "rows": 1}), "it ends in the middle of a row of kvs"),
        (HEAD + END + b"x", "something follows the end"),
        (HEAD + b"\xff\xff\xff\xff", "is impossible"),
        (HEAD, "ends in the middle"),
    ],
)
def test_a_state_that_cannot_be_is_refused_without_its_secrets(state: bytes, refusal: str) -> None:
    with pytest.raises(SnapshotError, match=refusal) as caught:
        archive.read(packed({"meta.json": b"{}", "state.bin": state}), ALL)
    assert "nobody may read" not in str(caught.value)


def test_an_image_does_not_change_with_the_state() -> None:
    store = Store(ROWS, 7)
    taken: Image = image(store, ALL)
    store.replace([], 9)
    assert taken.index == 7
    assert sum(len(rows) for _, rows in taken.tables) == len(ROWS)
