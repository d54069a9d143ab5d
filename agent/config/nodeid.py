"""The node's ID: given, or kept in the data folder (`node-id`, as Consul keeps it), or made anew."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import msgspec

from pyconsul.agent.config import checks
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.problems import ConfigError

FILE = "node-id"


def with_node_id(config: Config) -> Config:
    """The configuration with its `node_id` set; with a data folder, the ID is the same at the next start.

    Raises ConfigError when the file cannot be used.
    """
    if config.dev_mode or not config.data_dir:
        return msgspec.structs.replace(config, node_id=config.node_id or str(uuid.uuid4()))
    path = Path(config.data_dir) / FILE
    try:
        kept = path.read_text().strip().lower() if path.exists() else ""
        if kept and not config.node_id and checks.node_id(kept):
            raise ConfigError([f"{path}: {kept!r:.60} is no node ID; allowed: {checks.node_id(kept)}"])
        node_id = config.node_id or kept or str(uuid.uuid4())
        if node_id != kept:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(node_id)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"data_dir: {fault(path, error)}"]) from error
    return msgspec.structs.replace(config, node_id=node_id)


def fault(path: Path, error: OSError | UnicodeDecodeError) -> str:
    """Why a file of the data folder cannot be used, and what to change."""
    folder = path.parent
    if isinstance(error, UnicodeDecodeError):
        return f"{path} is no text; remove it to get a new node ID"
    if isinstance(error, PermissionError):
        return (
            f"{folder} is not writable by UID {os.geteuid()}, which the agent runs as; make that user its owner, or choose "
            "another folder with -data-dir"
        )
    if (above := next((one for one in (folder, *folder.parents) if one.exists()), folder)) and not above.is_dir():
        return f"{above} is a file, not a folder; choose a folder with -data-dir"
    return f"cannot write {path}: {error.strerror or error}"
