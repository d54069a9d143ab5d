"""The gossip keys of a pool: operations on all members, and the keys of this agent with their file."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from pathlib import Path

from pyconsul.agent.common.reasons import reason
from pyconsul.agent.gossip.driver.keyring_file import write_keyring
from pyconsul.agent.gossip.driver.pool_driver import PoolDriver
from pyconsul.agent.gossip.serf.effects import KeyReport, KeyReported, QueryHandle, StoreKeyring
from pyconsul.agent.gossip.serf.queries.keys import KeyOperation
from pyconsul.agent.gossip.settings import PoolError


class PoolKeyring:
    """A `membership.Keyring`."""

    def __init__(self, driver: PoolDriver, path: Path | None, executor: Executor) -> None:
        """`path` of the keyring file; None: the keys are kept in memory only."""
        self._driver = driver
        self._path = path
        self._executor = executor
        self._waiting: dict[QueryHandle, asyncio.Future[KeyReport]] = {}

    @property
    def is_encrypted(self) -> bool:
        """True if this agent has gossip keys."""
        return self._driver.frames.is_encrypted

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Return the gossip keys of this agent, the primary one first."""
        return self._driver.frames.keys

    async def list(self, *, relay_factor: int = 0) -> KeyReport:
        """Count the members that have each key."""
        return await self._manage(KeyOperation.LIST, "", relay_factor)

    async def install(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        """Let all members accept a key. Raises ValueError."""
        return await self._manage(KeyOperation.INSTALL, key, relay_factor)

    async def use(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        """Let all members encrypt with an installed key. Raises ValueError."""
        return await self._manage(KeyOperation.USE, key, relay_factor)

    async def remove(self, key: str, *, relay_factor: int = 0) -> KeyReport:
        """Let all members forget a key that is not in use. Raises ValueError."""
        return await self._manage(KeyOperation.REMOVE, key, relay_factor)

    def reported(self, effect: KeyReported) -> None:
        """An operation of this agent has ended."""
        future = self._waiting.pop(effect.handle, None)
        if future is not None and not future.done():
            future.set_result(effect.report)

    def store(self, effect: StoreKeyring) -> None:
        """Use the keys of an operation, and write them to the file before it is answered."""
        self._driver.frames.set_keys(effect.keys)
        self._driver.spawn(self._store(effect))

    def close(self) -> None:
        """End the operations that have not ended."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(PoolError("the gossip pool is closed"))
        self._waiting.clear()

    async def _store(self, effect: StoreKeyring) -> None:
        error = ""
        if self._path is not None:
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(self._executor, write_keyring, self._path, effect.keys)
            except OSError as failure:
                error = f"cannot write the keyring file: {reason(failure)}"
                self._driver.log.line("keyring", f"{error}: path={self._path}")
        self._driver.run(self._driver.core.keyring_stored(effect, error, self._driver.now()))

    async def _manage(self, operation: KeyOperation, key: str, relay_factor: int) -> KeyReport:
        driver = self._driver
        if driver.is_closed:
            raise PoolError("the gossip pool is closed")
        handle, outputs = driver.core.manage_keys(operation, key, driver.now(), relay_factor=relay_factor)
        future: asyncio.Future[KeyReport] = asyncio.get_running_loop().create_future()
        self._waiting[handle] = future
        driver.run(outputs)
        try:
            return await future
        finally:
            self._waiting.pop(handle, None)
