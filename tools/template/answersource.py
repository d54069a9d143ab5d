"""What keeps the answers to lookups up to date, as a runner sees it: Consul, or a fixture in its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pyconsul.tools.consul import ConsulError
from pyconsul.tools.template.lookups import Lookup


class AnswerSource(Protocol):
    """Puts what it learns into `Answers`, and sets the runner's `news`."""

    #: What ended a lookup for good.
    failure: ConsulError | None

    @property
    def address(self) -> str:
        """Where the answers come from."""
        ...

    @property
    def reachable(self) -> bool:
        """Whether it answers at present."""
        ...

    def data_age(self, now: float) -> float | None:
        """Seconds since the oldest of the data in use was confirmed; None before the first answer."""
        ...

    def watch(self, lookups: Iterable[Lookup]) -> None:
        """Ask for these, too."""
        ...

    def take(self) -> set[Lookup]:
        """The lookups whose answers have changed since the last call."""
        ...

    def retain(self, lookups: Iterable[Lookup]) -> None:
        """Forget all others."""
        ...

    async def close(self) -> None:
        """Stop asking."""
        ...
