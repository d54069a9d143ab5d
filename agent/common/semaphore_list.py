"""The list of holders of a semaphore: the value of the key `<prefix>/.lock`, as Consul's own clients write it. Pure.

https://developer.hashicorp.com/consul/tutorials/developer-configuration/distributed-semaphore
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterable
from typing import Any

#: The flags of the keys of a semaphore.
SEMAPHORE_FLAGS = 0xE0F69A2BAA414DE0


class SemaphoreList:
    """A decoded list. `limit`: the number of slots, None without one. `holders`: the sessions, alive or not."""

    def __init__(self, limit: int | None, holders: list[str]) -> None:
        self.limit = limit
        self.holders = holders


def parse_semaphore_list(value: str | None) -> SemaphoreList:
    """Parse the value of an entry, which is base64. Raises ValueError for anything but a JSON object."""
    document: Any = json.loads(binascii.a2b_base64(value or ""))
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return SemaphoreList(document.get("Limit"), list(document.get("Holders") or ()))


def format_semaphore_list(limit: int, holders: Iterable[str]) -> bytes:
    """Return the value of the key."""
    document = {"Limit": limit, "Holders": dict.fromkeys(holders, True)}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
