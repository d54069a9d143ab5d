"""Rows that a caller may see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ

T = TypeVar("T")


def visible(caller: Authorizer, rows: list[T], test: Callable[[T], bool]) -> tuple[list[T], bool]:
    """Return the rows that the caller may see, and whether the response states that some are hidden (not to anonymous callers)."""
    if caller.everything:
        return rows, False
    kept = [row for row in rows if test(row)]
    return kept, len(kept) < len(rows) and not caller.anonymous


def sees_check(caller: Authorizer, node: str, service: str) -> bool:
    """Return whether the caller may see a check of the catalog: its node, and its service if it has one."""
    return caller.level("node", node) >= READ and (not service or caller.level("service", service) >= READ)


def sees_instance(caller: Authorizer, node: str, service: str) -> bool:
    """Return whether the caller may see an instance: its service and its node."""
    return caller.level("service", service) >= READ and caller.level("node", node) >= READ
