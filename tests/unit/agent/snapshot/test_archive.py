"""The archive of a snapshot: laid out as Consul's, and nothing else is taken."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.snapshot_files import OLD, packed, read, saved, unpacked

from pyconsul.agent.model.kv import KVEntry
from pyconsul.agent.snapshot import archive
from pyconsul.agent.snapshot.errors import SnapshotError

SECRET = b"the value that nobody may read"
ROWS = [("kvs", KVEntry(0, "a/ü", 42, SECRET, 3, 4)), ("kvs", KVEntry(0, "b", 0, None, 5, 5))]
GOOD = saved(ROWS)


def test_the_layout_is_consul_s() -> None:
    files = unpacked(GOOD)
    assert list(files) == ["meta.json", "state.bin", "SHA256SUMS"]
    meta = json.loads(files["meta.json"])
    assert (meta["Version"], meta["Index"], meta["Term"], meta["Size"]) == (1, 7, 2, len(files["state.bin"]))
    assert meta["ID"] == "2-7-1700000000500"
    lines = files["SHA256SUMS"].decode().splitlines()
    assert lines == [f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in ("meta.json", "state.bin")]


def test_no_byte_follows_the_two_blocks_that_end_the_tar() -> None:
    tar = gzip.decompress(GOOD)
    sizes = [512 + -(-len(data) // 512) * 512 for data in unpacked(GOOD).values()]
    assert len(tar) == sum(sizes) + 1024
    assert not any(tar[-1024:])


def test_padding_after_the_end_is_taken() -> None:
    """`tar` and older versions of pyconsul pad to 10,240 bytes."""
    assert len(gzip.decompress(OLD.read_bytes())) % 10240 == 0
    assert read(OLD.read_bytes()).tables["kvs"]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_changed_byte_is_noticed_or_harmless(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(GOOD) - 1))
    bad = GOOD[:place] + bytes([GOOD[place] ^ data.draw(st.integers(1, 255))]) + GOOD[place + 1 :]
    with contextlib.suppress(SnapshotError):
        found = read(bad)  # a header's date, which says nothing of the state
        assert found.rows() == read(GOOD).rows()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(GOOD) - 1))
def test_a_part_is_refused(length: int) -> None:
    with pytest.raises(SnapshotError):
        read(GOOD[:length])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_random_bytes_are_refused(data: bytes, compressed: bool) -> None:
    with pytest.raises(SnapshotError):
        read(gzip.compress(data) if compressed else data)


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info.tobuf(tarfile.GNU_FORMAT)


def huge(name: str, size: int) -> bytes:
    """Return an archive that claims a size and has next to nothing."""
    return gzip.compress(member(name, size=size) + b"x" * 512)


BOMB = gzip.compress(member("state.bin", size=200 << 20) + bytes(200 << 20), mtime=0)


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"", "failed to decompress snapshot: EOF"),
        (b"\x1f\x8b", "failed to decompress snapshot: unexpected EOF"),
        (b"this is no snapshot", "failed to decompress snapshot: gzip: invalid header"),
        (gzip.compress(b"no tar at all", mtime=0), "failed to read snapshot file"),
        (packed({"other": b"x"}), "unexpected file 'other' in snapshot"),
        (packed({"../meta.json": b"x"}), "unexpected file '../meta.json'"),
        (packed({"/etc/passwd": b"x"}), "unexpected file '/etc/passwd'"),
        (gzip.compress(member("state.bin", tarfile.SYMTYPE, link="/etc/passwd")), "unexpected file 'state.bin'"),
        (gzip.compress(member("state.bin", tarfile.LNKTYPE, link="meta.json")), "unexpected file 'state.bin'"),
        (gzip.compress(member("state.bin", tarfile.FIFOTYPE)), "unexpected file 'state.bin'"),
        (gzip.compress(member("x", tarfile.XHDTYPE, size=8 << 30)), "unexpected file 'x'"),
        (gzip.compress(member("state.bin") * 2), "unexpected file 'state.bin'"),
        (huge("meta.json", 8 << 30), "meta.json is too large"),
        (huge("state.bin", 1 << 60), "impossible size"),
        (huge("state.bin", 1 << 30), "unexpected EOF"),
        (huge("state.bin", -5), "impossible size"),
        (BOMB, "more than 400 times its size"),
        (packed({"meta.json": b"{}"}), 'file missing for "state.bin"'),
        (packed({"meta.json": b"{}", "state.bin": b"x"}, sums=False), 'list missing hash for "meta.json"'),
        (packed({"meta.json": b"{}", "state.bin": b"x", "SHA256SUMS": b"00  meta.json\n00  state.bin"}, sums=False), "hash"),
        (packed({"meta.json": b"[]", "state.bin": b""}), "metadata: it is not an object"),
        (packed({"meta.json": b"[" * 100_000, "state.bin": b""}), "metadata: it is not JSON"),
        (packed({"meta.json": b"{}", "state.bin": b""}), "it ends in the middle of the header"),
        (gzip.compress(gzip.decompress(GOOD) + b"more"), "unexpected bytes after the end"),
        (gzip.compress(gzip.decompress(GOOD) + bytes(8 << 20)), "unexpected bytes after the end"),
    ],
    ids=lambda value: value if isinstance(value, str) else "archive",
)  # fmt: skip
def test_files_that_are_not_snapshots(data: bytes, refusal: str) -> None:
    with pytest.raises(SnapshotError, match=refusal):
        read(data)


def test_a_large_state_is_packed_in_pieces() -> None:
    state = io.BytesIO(bytes(range(256)) * 40_000)
    pieces = list(archive.pack(state, {"ID": "x"}, 1.0))
    assert unpacked(b"".join(pieces))["state.bin"] == state.getvalue()
