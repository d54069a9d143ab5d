"""All members by name, and the two ways to draw from them: the next one to probe, and random ones.

A table may start on a base that it shares with other tables (a simulation of many nodes): only differing records are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from pyconsul.agent.gossip.swim.member import Member

DRAWS_PER_MEMBER = 3  # attempts to find random members, as in memberlist


class Rng(Protocol):
    """A source of random numbers; `random.Random` is one."""

    def random(self) -> float:
        """Return a number from 0 (included) to 1 (excluded)."""


class MemberTable:
    """Members by name, in an order in which positions never change until members are forgotten."""

    __slots__ = ("_base", "_moved", "_names", "_next", "_owns_names", "_records", "_rng")

    def __init__(self, rng: Rng, base: Mapping[str, Member] | None = None, names: Sequence[str] = ()) -> None:
        """`base` and `names` (its keys) are shared and must never change."""
        self._rng = rng
        self._base: Mapping[str, Member] = base or {}
        self._names: Sequence[str] = names
        self._owns_names = False
        self._records: dict[str, Member] = {}
        self._next = 0  # number of members drawn in this round of probes
        self._moved: dict[int, int] = {}  # the part of the shuffled order that differs from the order of the names

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[Member]:
        records, base = self._records, self._base
        return (records.get(name) or base[name] for name in self._names)

    def get(self, name: str) -> Member | None:
        return self._records.get(name) or self._base.get(name)

    def is_member(self, name: str) -> bool:
        """Return whether broadcasts to a node are of use; an unnamed one may be a member."""
        member = self.get(name)
        return not name or (member is not None and not member.is_gone)

    def put(self, member: Member) -> None:
        """Store a member; a new one takes part in the present round of probes."""
        if member.name not in self._records and member.name not in self._base:
            self._own_names().append(member.name)
        self._records[member.name] = member

    def _own_names(self) -> list[str]:
        if not self._owns_names:
            self._names, self._owns_names = list(self._names), True
        return self._names  # type: ignore[return-value]

    def next_to_probe(self) -> Member | None:
        """Return the next member of this round in random order; None at its end.

        Source: SWIM paper, section 4.3 (round robin over a shuffled list bounds the time of detection). The Fisher-Yates shuffle
        goes only as far as members are drawn, so a round costs nothing in advance.
        """
        size = len(self._names)
        if self._next >= size:
            return None
        drawn = self._next + int(self._rng.random() * (size - self._next))
        position = self._moved.get(drawn, drawn)
        self._moved[drawn] = self._moved.pop(self._next, self._next)
        self._next += 1
        name = self._names[position]
        return self._records.get(name) or self._base[name]

    def start_round(self, is_forgotten: Callable[[Member], bool]) -> list[str]:
        """Begin a new round of probes; forget members first, and return their names."""
        self._next = 0
        self._moved.clear()
        forgotten = [member.name for member in self if is_forgotten(member)]
        if forgotten:
            gone = set(forgotten)
            if any(name in self._base for name in forgotten):
                self._records = {member.name: member for member in self}
                self._base = {}
            self._names, self._owns_names = [name for name in self._names if name not in gone], True
            for name in forgotten:
                del self._records[name]
        return forgotten

    def random_members(self, count: int, is_wanted: Callable[[Member], bool]) -> list[Member]:
        """Return up to `count` different members; may return fewer than there are, as memberlist's `kRandomNodes` does."""
        size = len(self._names)
        found: list[Member] = []
        random, names, records, base = self._rng.random, self._names, self._records, self._base
        for _ in range(DRAWS_PER_MEMBER * size):
            name = names[int(random() * size)]
            member = records.get(name) or base[name]
            if is_wanted(member) and member not in found:
                found.append(member)
                if len(found) == count:
                    break
        return found
