"""The contract of sources that keep the answers to lookups up to date: Consul, or a fixture in its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pyconsul.tools.consul.client import ConsulError
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.feed.share_id import ShareId, Sharing


class AnswerSource(Protocol):
    """Puts answers into `Answers`, and sets the runner's `news`."""

    @property
    def failure(self) -> ConsulError | None:
        """The error that ended a lookup for good."""
        ...

    @property
    def address(self) -> str:
        """The address that answers come from."""
        ...

    @property
    def reachable(self) -> bool:
        """Return whether it answers at present."""
        ...

    def data_age(self, now: float) -> float | None:
        """Return the seconds since the oldest data in use was confirmed; None before the first answer."""
        ...

    def sharing(self, share: ShareId | None) -> Sharing | None:
        """Return the state of a share; None for templates that share nothing."""
        ...

    def watch(self, lookups: Iterable[Lookup], share: ShareId | None = None) -> None:
        """Watch these lookups in addition. `share`: the template that uses them, if it may share its answers."""
        ...

    def take(self) -> set[Lookup]:
        """Return the lookups whose answers have changed since the last call."""
        ...

    def retain(self, used: Mapping[ShareId | None, Set[Lookup]]) -> None:
        """Forget all lookups that no template uses."""
        ...

    async def close(self) -> None:
        """Stop all queries."""
        ...
