"""How routes say what their callers need.

For each method, or once for all of them, separated by commas:

    operator:read           asked for before the handler runs; for `agent:…` about this agent's own name
    handler key:write       the handler asks for it, because only it knows about which name
    filter node             the answer shows what may be read, and nothing is refused
    self                    about the caller's own token, or needing nothing but one
    open                    for everybody

A test walks all routes, and fails for one that says nothing or does something else.
"""

from __future__ import annotations

from typing import NamedTuple

from pyconsul.agent.acl.rules import NAMED, SINGLE, parse_permission

WORDS = ("open", "self")


class Gate(NamedTuple):
    """What is asked for before the handler runs."""

    kind: str
    level: int


def split(permission: str, methods: tuple[str, ...]) -> dict[str, str]:
    """What each method needs.  Raises ValueError for words that mean nothing."""
    parts = [part.strip() for part in permission.split(",")] if permission else []
    if len(parts) not in (0, 1, len(methods)):
        raise ValueError(f"{len(parts)} permissions for {len(methods)} methods")
    for part in parts:
        _check(part)
    if len(parts) == 1:
        return dict.fromkeys(methods or ("*",), parts[0])
    return dict(zip(methods, parts, strict=False))


def _check(part: str) -> None:
    word, _, rest = part.partition(" ")
    if word == "filter" and rest in NAMED + SINGLE:
        return
    if part not in WORDS:
        parse_permission(rest if word == "handler" else part)


def gate(part: str) -> Gate | None:
    """What is asked for before the handler runs, if that is what the words say."""
    return Gate(*parse_permission(part)) if ":" in part and " " not in part else None
