"""The linearizability checker: good histories, known bad ones, and a search by brute force as its model."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.linearizability import Violation, check, is_linearizable, smallest_part
from support.register_history import Call, CompareAndSet, Delete, Operation, Read, Write

NEVER = math.inf


def history(*operations: tuple[Call, float, float]) -> list[Operation]:
    return [
        Operation(f"c{number}", "k", call, invoked, responded)
        for number, (call, invoked, responded) in enumerate(operations)
    ]


GOOD = {
    "a read during a write sees the old or the new value": history(
        (Write("a"), 0, 1), (Write("b"), 2, 9), (Read("a", 1), 3, 4), (Read("b", 2), 5, 6)
    ),
    "a write without an answer takes effect late": history(
        (Write("a"), 0, 1), (Write("b"), 2, NEVER), (Read("a", 1), 3, 4), (Read("b", 2), 50, 51)
    ),
    "a write without an answer never takes effect": history(
        (Write("a"), 0, 1), (Write("b"), 2, NEVER), (Read("a", 1), 3, 4)
    ),
    "one of two overlapping compare-and-sets succeeds": history(
        (Write("a"), 0, 1),
        (Read("a", 1), 2, 3),
        (CompareAndSet("b", 1), 4, 9),
        (CompareAndSet("c", 1, succeeded=False), 4, 9),
        (Read("b", 2), 10, 11),
    ),
    "a compare-and-set without an answer makes another one fail": history(
        (Write("a"), 0, 1),
        (Read("a", 1), 2, 3),
        (CompareAndSet("b", 1), 4, NEVER),
        (CompareAndSet("c", 1, succeeded=False), 5, 6),
        (Delete(), 7, 8),
    ),
    "a deletion and a creation, both without an answer": history(
        (Write("a"), 0, 1), (Delete(), 2, NEVER), (CompareAndSet("b", 0), 2, NEVER), (Read("b", 7), 3, 4)
    ),
    "a deleted key can be created": history((Write("a"), 0, 1), (Delete(), 2, 3), (CompareAndSet("b", 0), 4, 5)),
    "a read of a key that was never written": history((Read(None, 0), 0, 1)),
}
BAD = {
    "a stale read": history((Write("a"), 0, 1), (Write("b"), 2, 3), (Read("a", 1), 4, 5)),
    "a lost update": history((Write("a"), 0, 1), (Write("b"), 2, 3), (Read("b", 2), 4, 5), (Read("a", 1), 6, 7)),
    "a read of a value that nobody wrote": history((Write("a"), 0, 1), (Read("b", 1), 2, 3)),
    "a compare-and-set that succeeds twice": history(
        (Write("a"), 0, 1), (Read("a", 1), 2, 3), (CompareAndSet("b", 1), 4, 9), (CompareAndSet("c", 1), 4, 9)
    ),
    "a compare-and-set that is refused for no reason": history(
        (Write("a"), 0, 1), (Read("a", 1), 2, 3), (CompareAndSet("b", 1, succeeded=False), 4, 5)
    ),
    "an index that falls": history((Write("a"), 0, 1), (Read("a", 5), 2, 3), (Write("b"), 4, 5), (Read("b", 4), 6, 7)),
    "an index that falls after a deletion": history(
        (Write("a"), 0, 1), (Read("a", 5), 2, 3), (Delete(), 4, 5), (Write("b"), 6, 7), (Read("b", 5), 8, 9)
    ),
    "two indexes of one value": history((Write("a"), 0, 1), (Read("a", 5), 2, 3), (Read("a", 6), 4, 5)),
    "a deletion that is undone": history((Write("a"), 0, 1), (Delete(), 2, 3), (Read("a", 1), 4, 5)),
    "a write that was answered and never seen": history((Write("a"), 0, 1), (Read(None, 0), 2, 3)),
    "a write without an answer that is seen, not seen, seen": history(
        (Write("a"), 0, 1), (Write("b"), 2, NEVER), (Read("b", 2), 3, 4), (Read("a", 1), 5, 6)
    ),
    "an effect before its cause": history((Read("a", 1), 0, 1), (Write("a"), 2, 3)),
    "creation of a key that exists": history((Write("a"), 0, 1), (CompareAndSet("b", 0), 2, 3)),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history(name: str) -> None:
    check(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history(name: str) -> None:
    with pytest.raises(Violation):
        check(BAD[name])


def test_keys_are_checked_by_themselves() -> None:
    check(
        [
            *GOOD["a deleted key can be created"],
            *(replace(one, key="l") for one in GOOD["a deleted key can be created"]),
        ]
    )
    with pytest.raises(Violation, match="on l:"):
        check([*GOOD["a deleted key can be created"], *(replace(one, key="l") for one in BAD["a stale read"])])


def test_a_value_that_is_written_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="written twice"):
        check(history((Write("a"), 0, 1), (Write("a"), 2, 3)))


def test_a_violation_shows_the_smallest_part() -> None:
    calm = [(Write(f"v{number}"), number, number + 0.5) for number in range(100)]
    wrong = [
        (Write("old"), 100, 101),
        (Write("new"), 102, 103),
        (Read("new", 202), 104, 105),
        (Read("old", 201), 106, 107.5),
    ]
    later = [(Write(f"w{number}"), number, number + 0.5) for number in range(110, 150)]
    with pytest.raises(Violation) as caught:
        check(history(*calm, *wrong, *later))
    assert str(caught.value) == (
        "no order explains these operations on k:\n"
        "   0.0000 –    1.0000  c100         write old\n"
        "   2.0000 –    3.0000  c101         write new\n"
        "   6.0000 –    7.5000  c103         read: old (index 201)"
    )


def test_many_operations_of_many_clients_take_little_time() -> None:
    """1,000 operations, up to 5 at a time, a tenth of the writes without an answer."""
    operations = overlapping(random.Random(7), 1_000, width=5.0, unanswered=0.1)
    assert is_linearizable(operations)
    read = next(at for at in range(500, 1_000) if isinstance(operations[at].call, Read) and operations[at].call.value)
    operations[read] = replace(operations[read], call=Read("never written", 1))
    assert not is_linearizable(operations)


class Register:
    """The model: a key, its index, and the indexes that clients have read."""

    def __init__(self) -> None:
        self.value: str | None = None
        self.index = 0
        self.seen = [0]

    def guess(self, rng: random.Random, written: str) -> Call:
        """Return some call, with the result that it has now."""
        match rng.choice(("read", "write", "compare-and-set", "delete")):
            case "read":
                self.seen.append(self.index)
                return Read(self.value, self.index)
            case "write":
                return Write(written)
            case "delete":
                return Delete()
            case _:
                expected = rng.choice((self.seen[-1], rng.choice(self.seen)))
                return CompareAndSet(written, expected, expected == self.index)

    def apply(self, call: Call, index: int) -> None:
        """Let a call take effect."""
        if isinstance(call, Delete):
            self.value, self.index = None, 0
        elif isinstance(call, Write) or (isinstance(call, CompareAndSet) and call.succeeded):
            self.value, self.index = call.value, index


def overlapping(rng: random.Random, count: int, *, width: float, unanswered: float) -> list[Operation]:
    """Return a history made by one register: operation n takes effect at second n, and lasts up to `width` around that."""
    register, made = Register(), []
    for now in range(count):
        call = register.guess(rng, f"v{now}")
        begin, end = now - rng.random() * width / 2, now + rng.random() * width / 2
        if rng.random() < unanswered and not isinstance(call, Read):
            end = NEVER
        if end != NEVER or rng.random() < 0.5:
            register.apply(call, now + 1)
        if isinstance(call, CompareAndSet) and end == NEVER:
            call = replace(call, succeeded=True)
        made.append(Operation(f"c{now}", "k", call, begin, end))
    return made


@given(st.integers(0, 1 << 32), st.integers(1, 40), st.floats(0, 10), st.floats(0, 0.5))
def test_histories_of_one_register_are_accepted(seed: int, count: int, width: float, unanswered: float) -> None:
    assert is_linearizable(overlapping(random.Random(seed), count, width=width, unanswered=unanswered))


VALUES = ("a", "b", "c")
INDEXES = {"a": 1, "b": 2, "c": 3}


@st.composite
def small_histories(draw: st.DrawFn) -> list[Operation]:
    """Up to five operations with arbitrary results; each value is written at most once, reads tell its index."""
    moments = st.integers(0, 8)
    made, values = [], list(VALUES)
    for number in range(draw(st.integers(1, 5))):
        calls = [
            st.builds(Delete),
            st.sampled_from((None, *VALUES)).map(lambda value: Read(value, INDEXES.get(value or "", 0))),
        ]
        if values:
            calls.append(st.just(Write(values[0])))
            calls.append(st.builds(CompareAndSet, st.just(values[0]), st.integers(0, 3), st.booleans()))
        call = draw(st.one_of(calls))
        if isinstance(call, Write | CompareAndSet):
            values.pop(0)
        begin = draw(moments)
        end = draw(moments.map(lambda length, begin=begin: begin + length + 0.5) | st.just(NEVER))
        if isinstance(call, CompareAndSet) and end == NEVER:
            call = replace(call, succeeded=True)
        made.append(Operation(f"c{number}", "k", call, begin, end))
    return made


def is_explained(operations: list[Operation]) -> bool:
    """Return whether some order of all operations with a response and of some of the others is one of a register."""
    certain = [one for one in operations if one.is_certain]
    uncertain = [one for one in operations if not one.is_certain and not isinstance(one.call, Read)]
    known = {one.call.value for one in operations if isinstance(one.call, Read)}
    for count in range(len(uncertain) + 1):
        for some in combinations(uncertain, count):
            for order in permutations([*certain, *some]):
                if keeps_time(order) and is_run_of_a_register(order, known):
                    return True
    return False


def keeps_time(order: tuple[Operation, ...]) -> bool:
    return all(
        order[later].responded >= order[at].invoked for at in range(len(order)) for later in range(at + 1, len(order))
    )


def is_run_of_a_register(order: tuple[Operation, ...], known: set[str | None]) -> bool:
    """Return whether a register gives these results; indexes of values that nobody has read may be anything else."""
    value, highest = None, 0
    for one in order:
        index = 0 if value is None else INDEXES[value] if value in known else -1
        match one.call:
            case Read(seen, _):
                if seen != value:
                    return False
                continue
            case Delete():
                value = None
                continue
            case CompareAndSet(_, expected, succeeded):
                if succeeded != (expected == index):
                    return False
                if not succeeded:
                    continue
        value = one.call.value
        if value in known:
            if INDEXES[value] <= highest:
                return False
            highest = INDEXES[value]
    return True


@settings(max_examples=200)
@given(small_histories())
def test_the_search_agrees_with_brute_force(operations: list[Operation]) -> None:
    assert is_linearizable(operations) == is_explained(operations)


@given(small_histories())
def test_the_smallest_part_has_no_explanation(operations: list[Operation]) -> None:
    if not is_linearizable(operations):
        part = smallest_part(operations)
        assert not is_linearizable(part)
        assert len(part) <= len(operations)
