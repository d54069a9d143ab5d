"""Recorded gossip packets and streams, shared by all projects that speak the protocol, beside the checkout."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "gossip" / "vectors"


class Vector(msgspec.Struct, frozen=True):
    """One half of an exchange: its bytes, what they mean, and whether they are to be accepted and encoded alike."""

    name: str
    transport: str  # udp, tcp (the caller's half), tcp-answer
    encoder: str
    config: dict[str, Any]
    expect: str  # roundtrip, decode, reject
    hex: str
    layers: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    repeat: dict[str, Any] | None = None

    @property
    def data(self) -> bytes:
        if self.repeat is None:
            return bytes.fromhex(self.hex)
        head, unit, tail = (bytes.fromhex(self.repeat[part]) for part in ("head", "unit", "tail"))
        return head + unit * int(self.repeat["count"]) + tail

    @property
    def keys(self) -> list[bytes]:
        return [bytes.fromhex(key) for key in self.config.get("keys", [])]

    @property
    def label(self) -> bytes:
        return str(self.config.get("label", "")).encode()

    def nonces(self) -> list[bytes]:
        return [bytes.fromhex(layer["nonce"]) for layer in self.layers if layer["layer"] == "encrypt"]


def parameters() -> list[Any]:
    """Return the vectors as parameters of a test, or one skipped parameter where the folder is absent."""
    if not FOLDER.is_dir():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"the recorded vectors are not there: {FOLDER}"))]
    return [
        pytest.param(vector, id=f"{path.stem}/{vector.name}")
        for path in sorted(FOLDER.glob("*.yaml"))
        for vector in load(path)
    ]


def load(path: Path) -> Iterator[Vector]:
    """Read a file: a YAML list of mappings, each value JSON that may go on over indented lines."""
    found: list[dict[str, list[str]]] = []
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        start = re.match(r"(- |  )(\w+):(.*)$", line)
        if start is None:
            lines.append(line)
            continue
        if start[1] == "- ":
            found.append({})
        lines = found[-1][start[2]] = [start[3]]
    for fields in found:
        yield msgspec.convert({key: json.loads("\n".join(value)) for key, value in fields.items()}, Vector)
