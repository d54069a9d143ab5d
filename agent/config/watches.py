"""Handlers in files that run when something changes: `watches` (https://developer.hashicorp.com/consul/docs/dynamic-app-config/watches)."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.config.problems import Problems


def watches(value: Any, source: str, problems: Problems) -> tuple[dict[str, Any], ...]:
    """The watches of one file as they are written; the agent's start parses them, as in Consul."""
    found = maps_of(value, source, "watches", problems)
    return tuple({key: _unwrapped(entry) for key, entry in item.items()} for item in found)


def maps_of(value: Any, source: str, key: str, problems: Problems) -> list[dict[str, Any]]:
    """The maps at a key: an HCL block is a list of them."""
    maps = value if isinstance(value, list) else [value]
    if all(isinstance(item, dict) for item in maps):
        return maps
    problems.errors.append(f"{source}: {key}: the value is no object; allowed: an object with keys of its own")
    return []


def _unwrapped(value: Any) -> Any:
    """A block's only map."""
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) else value
