"""Work that waits for the writer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from pyconsul.agent.common.steps import Steps
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.state.changeset import Changeset
from pyconsul.agent.state.write_txn import WriteTxn

T = TypeVar("T")
Operation: TypeAlias = Callable[
    [WriteTxn], T
]  # may run again after a conflict, so it has no effects but the transaction's


@dataclass(frozen=True, slots=True)
class Replacement:
    """Another state, (table name, row) each, and the index it was written up to."""

    rows: Sequence[tuple[str, Any]]
    index: int


@dataclass(frozen=True, slots=True)
class LongOperation:
    """An operation that takes long enough to be interrupted: others are served between its steps."""

    steps: Callable[[WriteTxn], Steps[Any]]


ALONE = (Replacement, LongOperation)  # these share no commit
Work: TypeAlias = Operation[Any] | Replacement | LongOperation
Done: TypeAlias = asyncio.Future[Any]
Waiting: TypeAlias = tuple[Work, Done, float]  # since when it waits (the loop's time)
#: What an operation returned or raised, and its changeset, if it has one.
Result: TypeAlias = tuple[Done, Any, BaseException | None, Changeset | None]


def fail(futures: Iterable[Done], error: BaseException) -> None:
    """Fail the future; it accepts neither StopIteration nor an exception that ends the program."""
    if isinstance(error, StopIteration) or not isinstance(error, Exception):
        wrapped = EngineError(f"the write was not made: {type(error).__name__}")
        wrapped.__cause__ = error
        error = wrapped
    for done in futures:
        if not done.done():
            done.set_exception(error)
