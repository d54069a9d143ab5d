"""Deletes tokens at their expiration time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from pyconsul.agent.duties.contract import Commit
from pyconsul.agent.model.acl import Token
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.acl.tables import TOKENS, TOPIC
from pyconsul.agent.state.store import Store

MAX_SLEEP_S = 1.0  # the clock may be set, so it is compared with the next expiration at least this often
MIN_SLEEP_S = 0.01
RETRY_S = 5.0  # until the next attempt to delete tokens

log = logging.getLogger("agent.acl")


class TokenExpiry:
    """One timer for the token that expires next.  `clock`: Unix seconds."""

    def __init__(self, store: Store, commit: Commit, clock: Callable[[], float]) -> None:
        self._store, self._commit, self._clock = store, commit, clock
        self._timer: asyncio.TimerHandle | None = None
        self._deletion: asyncio.Task[None] | None = None
        self._next_expiry: float | None = None
        self._running = False

    async def start(self) -> None:
        """Watch the tokens."""
        self._running = True
        self._on_change()

    async def stop(self) -> None:
        """Stop watching the tokens."""
        self._running = False
        self._store.watches.remove(self._on_change, (TOPIC,))
        if self._timer is not None:
            self._timer.cancel()
        if self._deletion is not None:
            self._deletion.cancel()
            await asyncio.gather(self._deletion, return_exceptions=True)

    def _on_change(self) -> None:
        if not self._running or self._store.watches.closed:
            return
        self._store.watches.add(self._on_change, (TOPIC,))
        self._find_next()

    def _find_next(self, min_sleep_s: float = 0.0) -> None:
        tokens = self._store[TOKENS].by("ends", True)
        self._next_expiry = min((token.expires for token in tokens if token.expires is not None), default=None)
        self._sleep(min_sleep_s)

    def _sleep(self, min_sleep_s: float = 0.0) -> None:
        """Set the timer, in short steps: a step of the clock must not keep an expired token alive."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._next_expiry is not None and self._running:
            delay = max(min(self._next_expiry - self._clock(), MAX_SLEEP_S), min_sleep_s)
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = self._clock()
        if self._next_expiry is not None and self._next_expiry > now:
            self._sleep(MIN_SLEEP_S)
            return
        expired = [token for token in self._store[TOKENS].by("ends", True) if not acl_tokens.lives(token, now)]
        if not expired:
            self._find_next(MIN_SLEEP_S)
        elif self._deletion is None or self._deletion.done():
            self._deletion = asyncio.get_running_loop().create_task(self._delete(expired))

    async def _delete(self, expired: list[Token]) -> None:
        # Drops responses cached for these tokens, even if they cannot be deleted.
        self._store.watches.fire((TOPIC,))
        try:
            for token in expired:
                await self._commit(partial(acl_tokens.delete, accessor=token.accessor_id))
        except Exception as error:  # any error: an expired token must not stay
            log.warning("cannot delete an expired token, retrying in %gs: %s", RETRY_S, error)
            self._find_next(RETRY_S)
