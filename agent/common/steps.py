"""Long work as a generator: it yields where it may be interrupted, and its value is the result.

The caller decides what happens between steps: an event loop serves others, a test runs straight through.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, MutableMapping
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]
RUN = 4096  # texts that are sorted in one step


def finish(steps: Steps[T]) -> T:
    """Run all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            value: T = stop.value
            return value


def sort(texts: Iterable[str]) -> Steps[list[str]]:
    """Sort many texts.  The last step merges sorted runs; it is short when most texts are in order already."""
    found = list(texts)
    for start in range(0, len(found), RUN):
        found[start : start + RUN] = sorted(found[start : start + RUN])
        yield
    found.sort()
    return found


def empty(container: list[Any] | MutableMapping[Any, Any] | set[Any]) -> Steps[None]:
    """Empty a container item by item: to free very many objects at once stops the whole program, threads included."""
    take = container.popitem if isinstance(container, MutableMapping) else container.pop
    while container:
        take()
        yield
