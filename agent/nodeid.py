"""The node's ID: what the settings say, else what the data folder remembers, else a random one."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from msgspec.structs import replace

from pyconsul.agent.config.config import Config

FILE = "node-id"


class NodeIDError(Exception):
    """The remembered ID cannot be used; the text says why and what to do."""


def with_node_id(config: Config) -> Config:
    """The settings with an ID, which a data folder remembers.  Raises NodeIDError, OSError."""
    if config.dev_mode or not config.data_dir:
        return config if config.node_id else replace(config, node_id=str(uuid.uuid4()))
    path = Path(config.data_dir, FILE)
    if config.node_id:
        _write(path, config.node_id)
        return config
    return replace(config, node_id=_read(path) or _new(path))


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip().lower()
    except FileNotFoundError:
        return ""
    if not text:
        return ""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise NodeIDError(f"{path} holds {text[:60]!r}, which is no UUID; remove the file to get a new ID") from None


def _new(path: Path) -> str:
    node_id = str(uuid.uuid4())
    _write(path, node_id)
    return node_id


def _write(path: Path, node_id: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(node_id + "\n", "utf-8")
    os.replace(temporary, path)
