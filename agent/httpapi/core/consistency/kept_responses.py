"""Sends kept responses without a look at the request beyond its target and token."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pyconsul.agent.httpapi.core.cache import ResponseCache, cache_key
from pyconsul.agent.httpapi.core.consistency.barrier import Barrier, Kept
from pyconsul.agent.httpapi.core.consistency.freshness import FROM_MEMORY, MAYBE_FROM_MEMORY, has_contact
from pyconsul.agent.httpapi.core.forwarding.standing import Standing
from pyconsul.agent.httpapi.server.contract import Wire

HOLD_S = 0.5  # that a request waits for a current response before it takes the way of all others

log = logging.getLogger("agent.http")


class KeptResponses:
    """Implements two methods of `server.contract.Application`.  uses_tokens: access control is enabled."""

    def __init__(self, cache: ResponseCache, standing: Standing, barrier: Barrier, *, uses_tokens: bool) -> None:
        self._cache, self._standing, self._barrier, self._uses_tokens = cache, standing, barrier, uses_tokens
        self._is_on = True

    def configure(self, *, is_on: bool) -> None:
        """Send kept responses from now on, or none: every request is to be counted."""
        self._is_on = is_on

    def cached(self, target: bytes, token: bytes) -> Wire | None:
        """Return the kept response to a GET as bytes; `token`: the value of `X-Consul-Token`."""
        if not self._is_on or log.isEnabledFor(logging.DEBUG):
            return None  # every request is to be counted, or logged
        entry = self._cache.live((target, token)) if token and self._uses_tokens else self._cache.get(target)
        if entry is None:
            return None
        standing = self._standing
        if not standing.always_current and not (FROM_MEMORY.search(target) and has_contact(standing)):
            return None
        return entry.wire or entry.render()

    def current(self, target: bytes, token: bytes, respond: Callable[[Wire | None], None]) -> Kept | None:
        """Let a GET wait until the state is current, if a response is kept that `cached` does not return yet."""
        standing = self._standing
        if standing.always_current or not self._is_on or log.isEnabledFor(logging.DEBUG):
            return None
        if not standing.knows_leader or MAYBE_FROM_MEMORY.search(target) or self._kept(target, token) is None:
            return None
        return self._barrier.enter_kept(lambda error: respond(None if error else self._kept(target, token)), HOLD_S)

    def _kept(self, target: bytes, token: bytes) -> Wire | None:
        """Return a kept response of any age."""
        entry = self._cache.live(cache_key(target, token if self._uses_tokens else b""))
        return None if entry is None else entry.wire or entry.render()
