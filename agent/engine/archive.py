"""A snapshot as a file: a gzipped tar of `meta.json`, `state.bin` and `SHA256SUMS`, laid out as Consul's.

`meta.json` has ID, Index, Term, Version and Size as Consul's has them, and Stats: rows and bytes of each table.
Files in between have no name and are readable by nobody else: they hold every secret there is.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, cast

from pyconsul.agent.engine import snapshot
from pyconsul.agent.engine.snapshot import Image, SnapshotError, Written
from pyconsul.agent.state.table import Schema

TERM = 2  # of the one server; only there because readers expect it
META, STATE, SUMS = "meta.json", "state.bin", "SHA256SUMS"
MAX_STATE = 8 << 30  # bytes of an unpacked state that are taken
_CHUNK = 1 << 20


def write(state: Image, now: float) -> BinaryIO:
    """A file with the archive, ready to be read from its start.  Blocks: run it in a thread.  Raises OSError."""
    archive = cast(BinaryIO, tempfile.TemporaryFile(prefix="pyconsul-snapshot-"))  # noqa: SIM115 (the caller closes it)
    with tempfile.TemporaryFile(prefix="pyconsul-snapshot-") as body:
        written = snapshot.write(cast(BinaryIO, body), state)
        size = body.tell()
        meta = _meta(state.index, size, written, now)
        body.seek(0)
        sums = f"{hashlib.sha256(meta).hexdigest()}  {META}\n{_hash(cast(BinaryIO, body))}  {STATE}\n"
        body.seek(0)
        with (
            gzip.GzipFile(fileobj=archive, mode="wb", compresslevel=5, mtime=int(now)) as packed,
            tarfile.open(fileobj=packed, mode="w|") as tar,
        ):
            tar.addfile(_member(META, len(meta), now), io.BytesIO(meta))
            tar.addfile(_member(STATE, size, now), cast(BinaryIO, body))
            tar.addfile(_member(SUMS, len(sums), now), io.BytesIO(sums.encode()))
    archive.seek(0)
    return archive


def _meta(index: int, size: int, written: Sequence[Written], now: float) -> bytes:
    stats = [{"Name": one.table, "Sum": one.size, "Count": one.rows} for one in written if one.rows]
    made = {
        "Version": 1, "ID": f"{TERM}-{index}-{int(now * 1000)}", "Index": index, "Term": TERM, "Size": size, "Stats": stats
    }  # fmt: skip
    return json.dumps(made).encode()


def _member(name: str, size: int, now: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(now)
    return member


def _hash(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def read(data: bytes, schemas: Iterable[Schema[Any]]) -> tuple[list[tuple[str, Any]], int]:
    """The rows of an archive, (table name, row) each, and its index; every part is checked first.

    Blocks: run it in a thread.  Raises SnapshotError, OSError.
    """
    _check_header(data)
    with tempfile.TemporaryFile(prefix="pyconsul-snapshot-") as body:
        try:
            sums = _unpack(data, cast(BinaryIO, body))
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SnapshotError(f"failed to read snapshot file: failed to read snapshot: {error}") from None
        _check_sums(*sums)
        body.seek(0)
        try:
            return snapshot.read(cast(BinaryIO, body), schemas)
        except SnapshotError as error:
            raise SnapshotError(f"failed to restore snapshot: {error}") from None


def _check_header(data: bytes) -> None:
    if len(data) < 10:
        raise SnapshotError(f"failed to decompress snapshot: {'unexpected EOF' if data else 'EOF'}")
    if data[:3] != b"\x1f\x8b\x08":
        raise SnapshotError("failed to decompress snapshot: gzip: invalid header")


def _unpack(data: bytes, body: BinaryIO) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Copy the state to a file; the checksums that the archive gives, and those of what it holds."""
    given: dict[str, str] = {}
    found: dict[str, str] = {}
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if member.name not in (META, STATE, SUMS) or content is None:
                raise SnapshotError(f"failed to read snapshot file: unexpected file {member.name!r} in snapshot")
            if member.size > (MAX_STATE if member.name == STATE else _CHUNK):
                raise SnapshotError(f"failed to read snapshot file: {member.name} is too large: {member.size} bytes")
            if member.name == SUMS:
                given = _sums(content.read().decode("ascii", "replace"))
            else:
                found[member.name] = _copy(cast(BinaryIO, content), body if member.name == STATE else None)
    return given, found


def _copy(content: BinaryIO, target: BinaryIO | None) -> str:
    digest = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
        if target is not None:
            target.write(chunk)
    return digest.hexdigest()


def _sums(text: str) -> dict[str, str]:
    pairs = (line.split(None, 1) for line in text.splitlines())
    return {pair[1].strip().lstrip("*"): pair[0].lower() for pair in pairs if len(pair) == 2}


def _check_sums(given: Mapping[str, str], found: Mapping[str, str]) -> None:
    prefix = "failed to read snapshot file: failed checking integrity of snapshot: "
    for name in (META, STATE):
        if name not in found:
            raise SnapshotError(f'{prefix}file missing for "{name}"')
        if name not in given:
            raise SnapshotError(f'{prefix}list missing hash for "{name}"')
        if given[name] != found[name]:
            raise SnapshotError(f'{prefix}hash check failed for "{name}"')
