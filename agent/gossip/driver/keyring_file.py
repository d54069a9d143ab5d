"""The keyring file: a JSON list of base64 keys, the primary one first, as Consul keeps it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pyconsul.agent.common.files.atomic_file import write_file
from pyconsul.agent.common.reasons import reason
from pyconsul.agent.gossip.settings import PoolError
from pyconsul.agent.gossip.wire.encryption import KEY_SIZES


def read_keyring(path: Path) -> tuple[bytes, ...] | None:
    """Return the keys of a file; None if it does not exist. Raises PoolError, without naming a key."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PoolError(f"cannot read keyring file {path}: {reason(error)}") from error
    try:
        keys = tuple(b64decode(key, validate=True) for key in msgspec.json.decode(text, type=list[str]))
    except (ValueError, msgspec.DecodeError):
        raise PoolError(f"keyring file {path} is not a JSON list of base64 keys") from None
    if not keys:
        raise PoolError(f"keyring file {path} holds no keys")
    if any(len(key) not in KEY_SIZES for key in keys):
        raise PoolError(f"keyring file {path}: key size must be 16, 24 or 32 bytes")
    return keys


def write_keyring(path: Path, keys: Sequence[bytes]) -> None:
    """Replace the file, readable by its owner alone. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    write_file(path, msgspec.json.encode([b64encode(key).decode() for key in keys]))
