"""Writes the built-in policies, the anonymous token and the initial management token."""

from __future__ import annotations

import asyncio
import logging
import uuid
from functools import partial

from pyconsul.agent.acl import builtin
from pyconsul.agent.duties.contract import Commit
from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.model.acl import MANAGEMENT_ID
from pyconsul.agent.state.acl.tables import POLICIES, TOPIC
from pyconsul.agent.state.store import Store

DELAY_S = 0.2  # after a change of ACLs that lacks the built-in policies

log = logging.getLogger("agent.acl")


class ACLBootstrap:
    """Writes them when it starts, and the policies whenever a restored snapshot lacks them.

    secret: that of the management token in the settings; empty: none.
    """

    def __init__(self, store: Store, commit: Commit, secret: str) -> None:
        self._store, self._commit, self._secret = store, commit, secret
        self._repair: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Create the missing rows."""
        try:
            await self._commit(partial(builtin.prepare, accessor=str(uuid.uuid4()), secret=self._secret))
        except EngineError as error:  # a full disk; rows of the last run are still valid
            log.error("cannot write the built-in policies and tokens: %s", error)
        self._store.watches.add(self._on_change, (TOPIC,))

    async def stop(self) -> None:
        """Stop watching the policies."""
        self._store.watches.remove(self._on_change, (TOPIC,))
        if self._repair is not None:
            self._repair.cancel()
            await asyncio.gather(self._repair, return_exceptions=True)

    def _on_change(self) -> None:
        if self._store.watches.closed:
            return
        self._store.watches.add(self._on_change, (TOPIC,))
        if self._is_incomplete() and (self._repair is None or self._repair.done()):
            self._repair = asyncio.get_running_loop().create_task(self._write_missing())

    def _is_incomplete(self) -> bool:
        return self._store[POLICIES].get(MANAGEMENT_ID) is None

    async def _write_missing(self) -> None:
        await asyncio.sleep(DELAY_S)
        try:
            if self._is_incomplete():
                await self._commit(builtin.ensure)
        except Exception as error:
            log.error("cannot write the built-in policies, retrying when ACLs change: %s", error)
