"""Services as keys: `PREFIX/NAME/ID` holds `address:port`. Pure.

A key belongs to a registrator when its flags are those of the engine: nothing else of a key can say so.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from pyconsul.tools.registrator.desired.services import Service


@dataclass(frozen=True, slots=True)
class Pair:
    """A key's value, flags and session."""

    value: str
    flags: int
    session: str = ""


@dataclass(frozen=True, slots=True)
class Put:
    """Write a key."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a key."""

    key: str


def engine_flags(engine: str) -> int:
    """Return the flags of an engine's keys: never 0, the flags of all other keys."""
    return int.from_bytes(hashlib.sha256(f"registrator {engine}".encode()).digest()[:7], "big") or 1


def key_of(prefix: str, service: Service) -> str:
    """Return the key of a service."""
    return "/".join(part for part in (prefix, service.name, service.id) if part)


def value_of(service: Service) -> str:
    """Return the value of a service's key."""
    address = str(service.body["Address"])
    return f"[{address}]:{service.body['Port']}" if ":" in address else f"{address}:{service.body['Port']}"


def read_pairs(answer: Any) -> dict[str, Pair]:
    """Read the answer of `GET /v1/kv/PREFIX?recurse`."""
    return {
        one["Key"]: Pair(
            base64.b64decode(one.get("Value") or "").decode(errors="replace"),
            int(one.get("Flags") or 0),
            one.get("Session") or "",
        )
        for one in answer or ()
    }


def keys_of_container(keys: Iterable[str], host: str, name: str) -> set[str]:
    """Return the keys with the default IDs of a container's services."""
    start = f"{host}:{name}:"
    return {key for key in keys if key.rpartition("/")[2].startswith(start)}


def kv_diff(
    prefix: str,
    services: Iterable[Service],
    pairs: Mapping[str, Pair],
    flags: int,
    session: str = "",
    keep: Set[str] = frozenset(),
) -> list[Put | Delete]:
    """Return the writes. `session`: the one that holds the keys; empty without -ttl. `keep`: keys that stay."""
    wanted = {key_of(prefix, service): Pair(value_of(service), flags, session) for service in services}
    writes: list[Put | Delete] = [Put(key, pair.value) for key, pair in wanted.items() if pairs.get(key) != pair]
    gone = [key for key, pair in pairs.items() if pair.flags == flags and key not in wanted and key not in keep]
    return [*(Delete(key) for key in gone), *writes]
