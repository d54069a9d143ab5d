"""Snapshots made and taken apart in memory."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyconsul.agent.snapshot import archive, restore, save
from pyconsul.agent.snapshot.restore import Restored
from pyconsul.agent.state.store import Store

NOW = 1_700_000_000.5
MEMORY = 1 << 30  # bytes
#: Snapshots that Consul saved, with what it answered.
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "conformance" / "snapshots"
#: A snapshot that pyconsul saved before it had Consul's format.
OLD = Path(__file__).resolve().parents[1] / "unit" / "agent" / "snapshot" / "pyconsul-format-1.snap"


def state_of(rows: Iterable[tuple[str, Any]], index: int = 7) -> bytes:
    """`state.bin` of these rows."""
    file = io.BytesIO()
    save.write(file, save.image(Store(rows, index)))
    return file.getvalue()


def saved(rows: Iterable[tuple[str, Any]], index: int = 7) -> bytes:
    """Return an archive of these rows."""
    state = save.image(Store(rows, index))
    meta = save.metadata(state, NOW, "e933bd31-eed6-9fde-3ca2-4e43fa58ee5b", "127.0.0.1:8300")
    return b"".join(archive.pack(io.BytesIO(state_of(rows, index)), meta, NOW))


def restored(state: bytes, memory: int = MEMORY) -> Restored:
    """What is restored of a `state.bin`."""
    return restore.read(io.BytesIO(state), NOW, memory)


def read(data: bytes) -> Restored:
    """What is restored of an archive."""
    state = io.BytesIO()
    archive.unpack(io.BytesIO(data), state)
    return restored(state.getvalue())


def unpacked(data: bytes) -> dict[str, bytes]:
    """Return the files of an archive."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: content.read() for member in tar if (content := tar.extractfile(member)) is not None}


def packed(files: dict[str, bytes], sums: bool = True, level: int = 6) -> bytes:
    """Return an archive of any files, with the right sums unless they are given; at level 0 it is not compressed."""
    if sums:
        lines = [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in files.items()]
        files = {**files, "SHA256SUMS": "\n".join(lines).encode()}
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=level) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()
