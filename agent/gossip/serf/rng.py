"""The randomness that the pure cores are given; `random.Random` is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Rng(Protocol):
    """A source of random numbers."""

    def random(self) -> float:
        """Return a number from 0 (included) to 1 (excluded)."""

    def getrandbits(self, k: int, /) -> int:
        """Return a number of `k` random bits."""

    def choice(self, seq: Sequence[T], /) -> T:
        """Return one of the elements."""
