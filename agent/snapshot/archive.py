"""The archive of a snapshot: a gzipped tar of `meta.json`, `state.bin` and `SHA256SUMS`, as Consul writes and reads it.

Consul refuses an archive with a byte after the two blocks that end the tar, so that the tar is written here and not by
`tarfile`, which pads to 10,240 bytes.  Reading trusts nothing: only the three files, each once, as plain files of bounded size.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from pyconsul.agent.snapshot.errors import SnapshotError

META, STATE, SUMS = "meta.json", "state.bin", "SHA256SUMS"
MAX_STATE = 1 << 40  # bytes of a state
MAX_SMALL = 1 << 20  # bytes of meta.json and of SHA256SUMS
MAX_TAIL = 1 << 20  # bytes of padding after the tar's end; older archives have up to 10,240
MAX_RATIO = 400  # unpacked bytes of a packed one; a catalog of instances that hardly differ reaches 120
FREE_RATIO = 64 << 20  # unpacked bytes up to which the ratio does not matter
CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_USTAR_LIMIT = 8 << 30  # maximum size of a file in a plain header
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


def pack(state: BinaryIO, meta: Mapping[str, Any], now: float) -> Iterator[bytes]:
    """Yield the archive in pieces; `state` is read from its start to its end, `meta` is completed with its size."""
    size = state.seek(0, 2)
    state.seek(0)
    text = json.dumps({**meta, "Size": size}, separators=(",", ":")).encode() + b"\n"
    packed = zlib.compressobj(5, wbits=31)  # 31: with gzip's header
    yield packed.compress(_header(META, len(text), now) + _padded(text))
    yield packed.compress(_header(STATE, size, now))
    digest = hashlib.sha256()
    while chunk := state.read(CHUNK):
        digest.update(chunk)
        if piece := packed.compress(chunk):
            yield piece
    sums = f"{hashlib.sha256(text).hexdigest()}  {META}\n{digest.hexdigest()}  {STATE}\n".encode()
    yield packed.compress(bytes(-size % _BLOCK) + _header(SUMS, len(sums), now) + _padded(sums) + _END)
    yield packed.flush()


def _header(name: str, size: int, now: float) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(now)
    return member.tobuf(tarfile.USTAR_FORMAT if size < _USTAR_LIMIT else tarfile.GNU_FORMAT)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


def unpack(archive: BinaryIO, state: BinaryIO, limit: int = MAX_STATE) -> dict[str, Any]:
    """Copy `state.bin`, of at most `limit` bytes, to a file; check everything, and return `meta.json`.

    Blocks.  Raises SnapshotError; OSError when `state` cannot be written.
    """
    _check_gzip(archive)
    try:
        with gzip.GzipFile(fileobj=archive, mode="rb") as unpacked:
            meta = _Reader(unpacked, archive, limit).read(state)
    except EOFError:
        raise SnapshotError("failed to read snapshot file: failed to read snapshot metadata: unexpected EOF") from None
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile) as error:
        raise SnapshotError(f"failed to read snapshot file: failed to read snapshot: {error}") from None
    return decode_meta(meta)


def _check_gzip(archive: BinaryIO) -> None:
    start = archive.read(10)
    archive.seek(0)
    if len(start) < 10:
        raise SnapshotError(f"failed to decompress snapshot: {'unexpected EOF' if start else 'EOF'}")
    if start[:3] != b"\x1f\x8b\x08":
        raise SnapshotError("failed to decompress snapshot: gzip: invalid header")


class _Reader:
    """Reads one archive, block by block."""

    def __init__(self, unpacked: gzip.GzipFile, packed: BinaryIO, limit: int) -> None:
        self._unpacked, self._packed, self._limit, self._count = unpacked, packed, limit, 0

    def read(self, state: BinaryIO) -> bytes:
        """Copy the state, check the sums, and return `meta.json`."""
        found: dict[str, str] = {}
        small: dict[str, bytes] = {}
        while (member := self._member()) is not None:
            name = member.name
            if name in found or name not in (META, STATE, SUMS) or member.type not in _PLAIN:
                raise SnapshotError(f"failed to read snapshot file: unexpected file {name!r} in snapshot")
            if name == STATE:
                found[name] = self._copy(member.size, state)
                continue
            if not 0 <= member.size <= MAX_SMALL:
                raise SnapshotError(f"failed to read snapshot file: {name} is too large: {member.size} bytes")
            small[name] = self._exactly(member.size)
            found[name] = hashlib.sha256(small[name]).hexdigest()
            self._exactly(-member.size % _BLOCK)
        self._drain()
        _check_sums(small.get(SUMS, b""), found)
        return small[META]

    def _member(self) -> tarfile.TarInfo | None:
        block = self._exactly(_BLOCK)
        if not any(block):
            return None
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")

    def _copy(self, size: int, target: BinaryIO) -> str:
        if not 0 <= size <= self._limit:
            problem = f"{STATE} has an impossible size, or more than this machine has memory for: {size} bytes"
            raise SnapshotError(f"failed to read snapshot file: {problem}")
        digest, rest = hashlib.sha256(), size
        while rest:
            chunk = self._exactly(min(rest, CHUNK))
            rest -= len(chunk)
            digest.update(chunk)
            target.write(chunk)
        self._exactly(-size % _BLOCK)
        return digest.hexdigest()

    def _drain(self) -> None:
        """Read to the end of the gzip stream, where its checksum is."""
        rest = self._unpacked.read(MAX_TAIL + 1)
        if len(rest) > MAX_TAIL or any(rest):
            raise SnapshotError("failed to read snapshot file: unexpected bytes after the end of the archive")

    def _exactly(self, size: int) -> bytes:
        data = self._unpacked.read(size)
        if len(data) != size:
            raise EOFError("unexpected EOF")
        self._count += size
        if self._count > FREE_RATIO and self._count > MAX_RATIO * self._packed.tell():
            raise SnapshotError(f"failed to read snapshot file: it unpacks to more than {MAX_RATIO} times its size")
        return data


def _check_sums(text: bytes, found: Mapping[str, str]) -> None:
    prefix = "failed to read snapshot file: failed checking integrity of snapshot: "
    pairs = (line.split(None, 1) for line in text.decode("ascii", "replace").splitlines())
    given = {pair[1].strip().lstrip("*"): pair[0].lower() for pair in pairs if len(pair) == 2}
    for name in (META, STATE):
        if name not in found:
            raise SnapshotError(f'{prefix}file missing for "{name}"')
        if name not in given:
            raise SnapshotError(f'{prefix}list missing hash for "{name}"')
        if given[name] != found[name]:
            raise SnapshotError(f'{prefix}hash check failed for "{name}"')


def decode_meta(meta: bytes) -> dict[str, Any]:
    """Return the metadata of `meta.json`.  Raises SnapshotError."""
    problem = "failed to read snapshot file: failed to decode snapshot metadata"
    try:
        found = json.loads(meta)
    except (ValueError, RecursionError):
        raise SnapshotError(f"{problem}: it is not JSON") from None
    if not isinstance(found, dict):
        raise SnapshotError(f"{problem}: it is not an object")
    return found
