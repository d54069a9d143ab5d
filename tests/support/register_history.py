"""Histories of reads and writes of registers, for `support.linearizability`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Read:
    """A read; value: None for a key that does not exist.  index: the key's modify index, 0 without a key."""

    value: str | None
    index: int


@dataclass(frozen=True, slots=True)
class Write:
    value: str


@dataclass(frozen=True, slots=True)
class CompareAndSet:
    """A write that succeeds if the key has an index (0: if it does not exist)."""

    value: str
    index: int
    succeeded: bool = True


@dataclass(frozen=True, slots=True)
class Delete:
    """A deletion; a key that does not exist stays so."""


Call: TypeAlias = Read | Write | CompareAndSet | Delete


@dataclass(frozen=True, slots=True)
class Operation:
    """A call of one client, with its result.

    invoked, responded: seconds of one clock.  An operation without a response (`responded` is infinite) may take effect at any
    moment after `invoked`, or never.  Operations that certainly had no effect are no part of a history.
    """

    client: str
    key: str
    call: Call
    invoked: float
    responded: float = math.inf

    @property
    def is_certain(self) -> bool:
        """Return whether it has a response."""
        return self.responded != math.inf


def describe(operations: Sequence[Operation]) -> str:
    """Return a table of operations on one key, in the order of their invocation, with times from the first on."""
    start = min(operation.invoked for operation in operations)
    lines = [f"no order explains these operations on {operations[0].key}:"]
    for operation in sorted(operations, key=lambda operation: operation.invoked):
        end = f"{operation.responded - start:9.4f}" if operation.is_certain else "no answer"
        lines.append(f"{operation.invoked - start:9.4f} – {end}  {operation.client:<12} {_text(operation)}")
    return "\n".join(lines)


def _text(operation: Operation) -> str:
    match operation.call:
        case Read(None, _):
            return "read: no key"
        case Read(value, index):
            return f"read: {value} (index {index})"
        case Write(value):
            return f"write {value}"
        case CompareAndSet(value, index, succeeded):
            result = "" if not operation.is_certain else ": done" if succeeded else ": refused"
            return f"write {value} if index is {index}{result}"
        case Delete():
            return "delete"
