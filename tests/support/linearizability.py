"""A check whether the operations of several clients on registers can be explained by one order (linearizability).

The search is that of Wing and Gong (https://doi.org/10.1006/jpdc.1993.1015) with the memory of configurations that Lowe added
(https://doi.org/10.1002/cpe.3928); each key is checked by itself, as porcupine does (https://github.com/anishathalye/porcupine).
Every value is written once, so that a read names the write that it saw, and with it the write's index.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from support.register_history import Call, CompareAndSet, Delete, Operation, Read, Write, describe

MAX_STEPS = 1_000_000  # of a search
UNREAD = "?"


class Undecided(Exception):
    """The search has taken too many steps: too many operations without a response overlap."""


class Violation(Exception):
    """No order explains a history; the text shows its smallest part for which that is so."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        super().__init__(describe(operations))
        self.operations = operations


def check(history: Iterable[Operation]) -> None:
    """Check the history of each key.  Raises Violation, Undecided; ValueError for a value that is written twice."""
    keys = defaultdict(list)
    for operation in history:
        keys[operation.key].append(operation)
    for operations in keys.values():
        _require_distinct_values(operations)
        if not is_linearizable(operations):
            raise Violation(smallest_part(operations))


def is_linearizable(history: Iterable[Operation]) -> bool:
    """Return whether one order explains the operations on one key.  Raises Undecided."""
    operations = sorted(history, key=lambda operation: operation.invoked)
    indexes = _indexes(operations)
    return indexes is not None and _Search(operations, indexes).succeeds()


class _State(NamedTuple):
    """The register, and the highest index that it is known to have had.

    without_guess: the register as it would be without the last operation, which has no response; None: the last one has one.
    """

    value: str | None = None
    highest: int = 0
    without_guess: _State | None = None


class _Search:
    """Depth first, over the operations in the order of their invocation; a set of them is a number with a bit for each."""

    def __init__(self, operations: Iterable[Operation], indexes: Mapping[str, int]) -> None:
        self._operations = [
            replace(operation, call=_without_unread(operation.call, indexes)) for operation in operations
        ]
        self._indexes = indexes
        self._certain = [at for at, operation in enumerate(self._operations) if operation.is_certain]
        self._guesses = [
            at
            for at, operation in enumerate(self._operations)
            if not operation.is_certain and not isinstance(operation.call, Read)
        ]

    def succeeds(self) -> bool:
        """Return whether there is an order of all operations with a response."""
        seen: dict[tuple[int, _State], list[int]] = {}
        # Position of the first missing certain operation, certain ones that were done, guesses that were made.
        stack = [(0, 0, 0, _State())]
        steps = 0
        while stack:
            first, done, guessed, state = stack.pop()
            while first < len(self._certain) and done >> self._certain[first] & 1:
                first += 1
            if first == len(self._certain):
                return True
            known = seen.setdefault((done, state), [])
            if any(fewer & guessed == fewer for fewer in known):
                continue  # with more guesses left, it was no way either
            known.append(guessed)
            steps += 1
            if steps > MAX_STEPS:
                raise Undecided(f"no order was found in {MAX_STEPS:,} steps")
            for at, following in self._following(first, done | guessed, state):
                is_guess = not self._operations[at].is_certain
                stack.append((first, done | (not is_guess) << at, guessed | is_guess << at, following))
        return False

    def _following(self, first: int, done: int, state: _State) -> Iterator[tuple[int, _State]]:
        """Yield the operations that may be next, with the register after each; the most promising last.

        One that changes nothing can be next whenever it is possible.  A guess can be put off until the next operation needs it.
        """
        latest, possible = math.inf, []
        for at in self._certain[first:]:
            operation = self._operations[at]
            if operation.invoked > latest:
                break
            if not done >> at & 1:
                latest = min(latest, operation.responded)
                possible.append(at)
        possible = [at for at in possible if self._operations[at].invoked <= latest]
        for at in possible:
            if _changes_nothing(self._operations[at].call) and self._next(state, at) is not None:
                yield at, state._replace(without_guess=None)
                return
        guesses: dict[Call, int] = {}  # equal ones: the first
        for at in self._guesses:
            if not done >> at & 1 and self._operations[at].invoked <= latest:
                guesses.setdefault(self._operations[at].call, at)
        for at in (*guesses.values(), *sorted(possible, key=lambda at: -self._operations[at].responded)):
            following = self._next(state, at)
            if following is not None:
                guessed = None if self._operations[at].is_certain else state._replace(without_guess=None)
                yield at, following._replace(without_guess=guessed)

    def _next(self, state: _State, at: int) -> _State | None:
        call = self._operations[at].call
        if state.without_guess is not None and self._after(state.without_guess, call) is not None:
            return None
        return self._after(state, call)

    def _after(self, state: _State, call: Call) -> _State | None:
        """Return the register after a call; None if the call cannot have had its result."""
        index = 0 if state.value is None else self._indexes.get(state.value, -1)
        match call:
            case Read(value, _):
                return state if value == state.value else None
            case Write(value):
                return self._written(state, value)
            case CompareAndSet(value, expected, True):
                return self._written(state, value) if expected == index else None
            case CompareAndSet(_, expected, False):
                return state if expected != index else None
            case Delete():
                return _State(None, state.highest)

    def _written(self, state: _State, value: str) -> _State | None:
        index = self._indexes.get(value)
        if index is None:
            return _State(value, state.highest)
        return _State(value, index) if index > state.highest else None


def _without_unread(call: Call, indexes: Mapping[str, int]) -> Call:
    """Return a call with the same value in place of every one that nobody has read: they cannot be told apart."""
    if isinstance(call, Write | CompareAndSet) and call.value not in indexes:
        return replace(call, value=UNREAD)
    return call


def _changes_nothing(call: Call) -> bool:
    return isinstance(call, Read) or (isinstance(call, CompareAndSet) and not call.succeeded)


def _indexes(operations: Iterable[Operation]) -> dict[str, int] | None:
    """Return the index of each value that was read; None if reads contradict each other."""
    indexes: dict[str, int] = {}
    for operation in operations:
        call = operation.call
        if (
            isinstance(call, Read)
            and call.value is not None
            and indexes.setdefault(call.value, call.index) != call.index
        ):
            return None
    return indexes


def _require_distinct_values(operations: Iterable[Operation]) -> None:
    written = [operation.call.value for operation in operations if isinstance(operation.call, Write | CompareAndSet)]
    if len(set(written)) < len(written):
        raise ValueError("a value is written twice: nobody can tell which of the writes a read has seen")


def smallest_part(history: Iterable[Operation]) -> list[Operation]:
    """Return as few operations as possible of a history that no order explains, so that none explains them.

    Operations are dropped, or lose their response, only where that allows more than before.
    """
    given = list(history)
    part = _shortest_beginning(sorted(given, key=lambda operation: operation.responded))
    for droppable in (Read | CompareAndSet, Call):
        size = len(part)
        while size:
            for at in range(0, len(part), size):
                shorter = [*part[:at], *_weakened(part[at : at + size], droppable), *part[at + size :]]
                if shorter != part:
                    part = part if is_linearizable(shorter) else shorter
            size //= 2
    kept = {(operation.client, operation.invoked) for operation in _relevant(part)}
    return sorted((one for one in given if (one.client, one.invoked) in kept), key=lambda operation: operation.invoked)


def _shortest_beginning(operations: list[Operation]) -> list[Operation]:
    """Return what had a response before the first contradiction; the other operations, later ones too, have none."""
    low, high = 0, len(operations)
    while low < high:
        middle = (low + high) // 2
        if is_linearizable(_until(operations, middle)):
            low = middle + 1
        else:
            high = middle
    return _until(operations, low)


def _until(operations: list[Operation], count: int) -> list[Operation]:
    return [*operations[:count], *_weakened(operations[count:])]


def _weakened(operations: Iterable[Operation], kinds: Any = Call) -> Iterator[Operation]:
    """Yield operations, those of some kinds without responses: reads and failed compare-and-sets say nothing any more."""
    for operation in operations:
        match operation.call:
            case call if not isinstance(call, kinds):
                yield operation
            case Read() | CompareAndSet(_, _, False):
                continue
            case _:
                yield replace(operation, responded=math.inf)


def _relevant(operations: Sequence[Operation]) -> Iterator[Operation]:
    """Yield the operations without those that have no response and that nobody can have noticed."""
    read = {operation.call.value for operation in operations if isinstance(operation.call, Read)}
    refused = any(
        isinstance(one.call, CompareAndSet) and one.is_certain and not one.call.succeeded for one in operations
    )
    for operation in operations:
        call = operation.call
        value = None if isinstance(call, Delete) else call.value
        if operation.is_certain or refused or value in read:
            yield operation
