"""A snapshot's archive: a gzipped tar of `meta.json`, `state.bin` and `SHA256SUMS`, as Consul's are.

`meta.json` has ID, Index, Term, Version and Size; pyconsul's agents put the numbers of rows there as Stats, too. What
`state.bin` holds is the business of the agent that made it.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from typing import Any

from pyconsul.cli.errors import CliError

_CHUNK = 1 << 20


def inspect(path: str) -> dict[str, Any]:
    """A snapshot's metadata, after its checksums were found right. Raises CliError, saying what is wrong."""
    sums: dict[str, str] = {}
    hashes: dict[str, str] = {}
    meta: bytes | None = None
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is None:
                    raise CliError(f"{path} is no snapshot: {member.name} is no file")
                if member.name == "SHA256SUMS":
                    sums = _sums(content.read().decode("ascii", "replace"))
                    continue
                data = content.read() if member.name == "meta.json" else None
                meta = data if data is not None else meta
                hashes[member.name] = hashlib.sha256(data).hexdigest() if data is not None else _hash(content)
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise CliError(f"Error reading snapshot {path}: {error}") from None
    _compare(path, sums, hashes)
    return _decode(path, meta or b"")


def _sums(text: str) -> dict[str, str]:
    pairs = (line.split(None, 1) for line in text.splitlines())
    return {pair[1].strip().lstrip("*"): pair[0] for pair in pairs if len(pair) == 2}


def _hash(content: Any) -> str:
    digest = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _compare(path: str, sums: dict[str, str], hashes: dict[str, str]) -> None:
    for name in ("meta.json", "state.bin"):
        if name not in hashes or name not in sums:
            raise CliError(f"Error reading snapshot {path}: {name} or its checksum is missing")
        if hashes[name] != sums[name]:
            raise CliError(f"Error reading snapshot {path}: the checksum of {name} is wrong")


def _decode(path: str, meta: bytes) -> dict[str, Any]:
    try:
        document = json.loads(meta)
    except ValueError as error:
        raise CliError(f"Error reading snapshot {path}: meta.json is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise CliError(f"Error reading snapshot {path}: meta.json is not an object")
    return document


def byte_size(size: int) -> str:
    """A number of bytes for people, in powers of 1024: 1536 is `1.5KB`."""
    value, unit = float(size), "B"
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if value < 1024 or unit == "TB":
            break
        value /= 1024
    return f"{value:.1f}".removesuffix(".0") + unit if size else "0"
