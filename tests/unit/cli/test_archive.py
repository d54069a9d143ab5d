"""Snapshot archives are checked before they are believed."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from pyconsul.cli.archive import byte_size, inspect
from pyconsul.cli.errors import CliError

META = json.dumps({"ID": "1", "Index": 7, "Size": 5}).encode()


def archive(path: Path, files: dict[str, bytes]) -> str:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return str(path)


def sums(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()).encode()


def test_a_good_one(tmp_path: Path) -> None:
    files = {"meta.json": META, "state.bin": b"state"}
    assert inspect(archive(tmp_path / "a.snap", {**files, "SHA256SUMS": sums(files)}))["Index"] == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state.bin": b"other"}, "checksum of state.bin is wrong"),
        ({"SHA256SUMS": b""}, "missing"),
        ({"meta.json": b"{"}, "checksum of meta.json"),
    ],
)
def test_damage(tmp_path: Path, change: dict[str, bytes], message: str) -> None:
    files = {"meta.json": META, "state.bin": b"state"}
    path = archive(tmp_path / "a.snap", {**files, "SHA256SUMS": sums(files), **change})
    with pytest.raises(CliError, match=message):
        inspect(path)


@pytest.mark.parametrize("data", [b"", b"this is not a snapshot", b"\x1f\x8b\x08\x00broken"])
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "junk.snap"
    path.write_bytes(data)
    with pytest.raises(CliError, match="Error reading snapshot"):
        inspect(str(path))


def test_a_part_of_an_archive(tmp_path: Path) -> None:
    files = {"meta.json": META, "state.bin": bytes(range(256)) * 40}
    path = Path(archive(tmp_path / "a.snap", {**files, "SHA256SUMS": sums(files)}))
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(CliError, match="Error reading snapshot"):
        inspect(str(path))


def test_sizes_for_people() -> None:
    assert [byte_size(n) for n in (0, 5, 1024, 1536, 3 << 30)] == ["0", "5B", "1KB", "1.5KB", "3GB"]
