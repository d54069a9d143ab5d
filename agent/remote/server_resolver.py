"""Tokens on a server: from its own state once it has one; before, while it waits for its cluster, other servers are asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.resolver import Resolver, Settings, Unread
from pyconsul.agent.remote.resolver import RemoteResolver
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.watches import Watches


class ServerResolver(Resolver):
    """The authorizers of a server.  `elsewhere` is used while `has_state` returns False."""

    def __init__(
        self,
        view: View,
        watches: Watches,
        settings: Settings,
        own: Callable[[str], str],
        clock: Callable[[], float],
        elsewhere: RemoteResolver,
        has_state: Callable[[], bool],
    ) -> None:
        super().__init__(view, watches, settings, own, clock)
        self._elsewhere, self._has_state = elsewhere, has_state

    def of(self, secret: str) -> Authorizer:
        """Return the authorizer of a secret.  Raises UnknownToken."""
        return super().of(secret) if self._has_state() else self._elsewhere.of(secret)

    def expires(self, secret: str) -> float | None:
        """Return until when the authorizer holds (Unix seconds); None for ever."""
        return super().expires(secret) if self._has_state() else self._elsewhere.expires(secret)

    def unread(self, secret: str) -> Unread | Awaitable[None] | None:
        """Return what is to be done before `of` knows a secret; None: nothing."""
        return super().unread(secret) if self._has_state() else self._elsewhere.unread(secret)
