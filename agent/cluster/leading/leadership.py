"""Leadership of the servers: a key in etcd with a lease, held by one server.

Leadership only avoids conflicts.  Commits compare the last index (see `engine.etcd`), so two servers that both believe to lead do
no harm.  A server may therefore take the key over as soon as its holder is known to be gone, before the lease ends.

| key | action of a server |
| --- | --- |
| the key is its own | leads; keeps the lease alive, and leads no more when that fails for `UNCONFIRMED_S` |
| absent | tries to create it: as soon as its etcd member leads, after `BACKOFF_S` otherwise |
| the holder is known to be gone | tries in the same way to put its own in place of that very one |
| the key of another server | follows |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

from aetcd import rpc

from pyconsul.agent.engine.contract import EngineError
from pyconsul.agent.engine.etcd import transaction
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.errors import Unreachable

LEASE_S = 10  # the shortest time after which the key of a server that has gone without a word disappears
KEEP_ALIVE_S = 2.0
UNCONFIRMED_S = (
    4.0  # after the last renewal of the lease, another server may have taken the key: longer than an election of etcd
)
BACKOFF_S = 0.3  # of a server whose etcd member does not lead
RETRY_S = 0.2
START_S = 1.0  # that the first look at the key may take
RESIGN_S = 0.5  # that giving the key up may take
TAKE_S = 0.7  # that taking the key may take
POLL_S = 0.03  # between two looks whether the own etcd member leads by now
LOOK_S = 1.0  # between two looks at a holder that may be gone
SILENCE_S = 10.0  # after that a watch is taken for dead
_WATCH = 1

log = logging.getLogger("agent.leader")


class EtcdLeadership:
    """One server in the competition for the key; a `duties.contract.Leadership`."""

    def __init__(
        self, client: Client, prefix: str, node_id: str, *, member_leads: Callable[[], Awaitable[bool]]
    ) -> None:
        """member_leads: returns whether the etcd member of this server leads those of the others."""
        self._client, self._node_id, self._member_leads = client, node_id, member_leads
        self._key = f"{prefix.rstrip('/')}/leader".encode()
        self._holder, self._revision, self._lease = "", 0, 0
        self._revision_seen = 0  # of all of etcd, when the key was last read
        self._gone: set[str] = set()  # node IDs of servers that gossip takes for gone
        self._silent = ""  # node ID of a leader that does not answer
        self._alive_at = 0.0  # loop time at which the lease was last known to be kept
        self._resigned = False
        self._lost_s = -float(LEASE_S)  # loop time at which another server last took the key from this one
        self._listeners: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._look = asyncio.Event()
        self._has_read = asyncio.Event()  # the key, once

    @property
    def leads(self) -> bool:
        """Return whether this server leads now."""
        return self._holder == self._node_id and bool(self._lease)

    @property
    def leader(self) -> str:
        """The node ID of the server that leads; "" for none."""
        return self._holder

    def subscribe(self, listener: Callable[[], None], /) -> None:
        """Call a listener on the event loop whenever the leader has changed."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Take part from now on; return when it is known who leads, or after `START_S`."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(work()) for work in (self._follow, self._compete, self._keep_alive)]
        with suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                await self._has_read.wait()

    async def stop(self) -> None:
        """Take part no more, and give the key up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.resign()

    async def resign(self) -> None:
        """Let another server lead; this one does not compete again."""
        self._resigned = True
        lease, self._lease = self._lease, 0
        if lease:
            with suppress(EngineError, TimeoutError):  # without a quorum the lease ends by itself
                async with asyncio.timeout(RESIGN_S):
                    await self._client.call(
                        lambda channel: rpc.LeaseStub(channel).LeaseRevoke, rpc.LeaseRevokeRequest(ID=lease)
                    )
            self._notify()

    async def hand_over(self, node_id: str) -> None:
        """Put another server in place of this one, which takes the key over at once.  Raises EngineError."""
        lease = self._lease
        if self._holder != self._node_id or not lease:
            return
        put = rpc.PutRequest(key=self._key, value=node_id.encode(), lease=lease)
        request = rpc.TxnRequest(
            compare=[transaction.unchanged(self._key, self._revision)], success=[rpc.RequestOp(request_put=put)]
        )
        response = await self._client.write(request)
        if response.succeeded:
            self._update(node_id, response.header.revision)

    def set_gone(self, node_id: str, is_gone: bool) -> None:
        """Another server is known to be gone, or is back."""
        if is_gone != (node_id in self._gone):
            (self._gone.add if is_gone else self._gone.discard)(node_id)
            self._look.set()

    def set_silent(self, node_id: str) -> None:
        """The server that leads does not answer; "": it does."""
        if node_id != self._silent:
            self._silent = node_id
            self._look.set()

    # --- following

    async def _follow(self) -> None:
        while True:
            try:
                await self._read()
                requests = self._requests(self._revision_seen + 1)
                async with aclosing(self._client.watch(requests, SILENCE_S)) as responses:
                    async for response in responses:
                        for event in response.events:  # without a value: it was deleted
                            self._update(event.kv.value.decode(), event.kv.mod_revision)
            except EngineError as error:
                log.debug("cannot follow the leader, retrying in %gs: %s", RETRY_S, error)
            await asyncio.sleep(RETRY_S)

    async def _read(self) -> None:
        response = await self._client.read(rpc.TxnRequest(success=[transaction.get(self._key)]))
        value, revision = transaction.value_of(response, 0)
        self._revision_seen = response.header.revision
        self._update(value.decode(), revision or self._revision_seen)
        self._has_read.set()
        self._look.set()

    async def _requests(self, revision: int) -> AsyncIterator[Any]:
        create = rpc.WatchCreateRequest(key=self._key, start_revision=revision, watch_id=_WATCH)
        yield rpc.WatchRequest(create_request=create)
        while True:
            await asyncio.sleep(SILENCE_S / 3)
            yield rpc.WatchRequest(progress_request=rpc.WatchProgressRequest())

    def _update(self, holder: str, revision: int) -> None:
        if revision <= self._revision:
            return  # a late event
        before = self._holder, self.leads
        if self.leads and holder != self._node_id:
            self._lost_s = asyncio.get_running_loop().time()
        self._holder, self._revision = holder, revision
        if holder != self._node_id:
            self._lease = 0
        self._look.set()
        if before != (self._holder, self.leads):
            self._notify()

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()

    # --- competing

    async def _compete(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._look.wait()
            self._look.clear()
            if self._resigned or self.leads or not self._may_take():
                continue
            try:
                await self._try_to_take()
            except EngineError as error:
                log.debug("cannot become the leader, retrying in %gs: %s", RETRY_S, error)
                await self._until_member_leads(RETRY_S)
                self._look.set()

    async def _try_to_take(self) -> None:
        """Try to take the key: at once if the own etcd member leads, after `BACKOFF_S` otherwise.  Raises EngineError.

        A request that is sent while etcd elects a leader may be lost.  So the own member is watched meanwhile: as soon as it has
        won, the key is tried again.
        """
        member_leads = await self._until_member_leads(BACKOFF_S)
        if not self._may_take():
            return
        tasks: set[asyncio.Task[Any]] = {asyncio.create_task(self._take())}
        if not member_leads:
            tasks.add(asyncio.create_task(self._until_member_leads(TAKE_S)))
        try:
            done, _ = await asyncio.wait(tasks, timeout=TAKE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
        if not self.leads:
            self._look.set()

    async def _until_member_leads(self, seconds: float) -> bool:
        """Wait until the own etcd member leads, but not longer; return whether it does.  Raises EngineError."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            if await self._member_leads():
                return True
            if loop.time() >= until:
                return False
            await asyncio.sleep(POLL_S)

    def _may_take(self) -> bool:
        """Return whether the key is free, or its holder is known to be gone.

        Two servers of which each takes the other one for gone do not take it from each other all the time.
        """
        if self._holder in ("", self._node_id):
            return True
        rested = asyncio.get_running_loop().time() - self._lost_s > LEASE_S
        return rested and self._holder in (*self._gone, self._silent)

    async def _take(self) -> None:
        """Try to put the own key in place of what is there, unless that has changed.  Raises EngineError."""
        grant = rpc.LeaseGrantRequest(TTL=LEASE_S)
        now = asyncio.get_running_loop().time()
        lease = (await self._client.call(lambda channel: rpc.LeaseStub(channel).LeaseGrant, grant)).ID
        put = rpc.PutRequest(key=self._key, value=self._node_id.encode(), lease=lease)
        request = rpc.TxnRequest(
            compare=[transaction.unchanged(self._key, self._revision if self._holder else 0)],
            success=[rpc.RequestOp(request_put=put)],
            failure=[transaction.get(self._key)],
        )
        response = await self._client.write(request)
        if response.succeeded:
            self._lease, self._alive_at = lease, now
            self._holder, self._revision = self._node_id, response.header.revision
            log.info("this server leads now")
            self._notify()
        else:
            value, revision = transaction.value_of(response, 0)
            self._update(value.decode(), revision or response.header.revision)

    async def _keep_alive(self) -> None:
        """Keep the lease, or lead no more."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(KEEP_ALIVE_S)
            if not self._lease:
                continue
            asked, lease = loop.time(), self._lease
            try:
                is_kept = await self._client.keep_alive(lease, KEEP_ALIVE_S)
            except Unreachable as error:
                log.debug("the lease of the leader could not be renewed: %s", error)
                is_kept = loop.time() - self._alive_at < UNCONFIRMED_S
            else:
                if is_kept:
                    self._alive_at = asked
            if not is_kept and lease == self._lease:
                log.warning("this server leads no more: etcd does not confirm it")
                self._lease = 0
                self._look.set()
                self._notify()
