"""What keeps the answers to lookups up to date, as a runner sees it: Consul, or a fixture in its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pyconsul.tools.consul.client import ConsulError
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.feed.share_id import ShareId, Sharing


class AnswerSource(Protocol):
    """Puts what it learns into `Answers`, and sets the runner's `news`."""

    @property
    def failure(self) -> ConsulError | None:
        """What ended a lookup for good."""
        ...

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

    def sharing(self, share: ShareId | None) -> Sharing | None:
        """Who answers a template that shares its answers; None for one that does not."""
        ...

    def watch(self, lookups: Iterable[Lookup], share: ShareId | None = None) -> None:
        """Have answers to these, too. `share`: the template that wants them, if it may share its answers."""
        ...

    def take(self) -> set[Lookup]:
        """Return the lookups whose answers have changed since the last call."""
        ...

    def retain(self, used: Mapping[ShareId | None, Set[Lookup]]) -> None:
        """Forget all that is not used by any template."""
        ...

    async def close(self) -> None:
        """Stop asking."""
        ...
