"""A running pool: what `membership.OpenPool` promises, on top of the driver."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pyconsul.agent.gossip.driver.frames import Frames
from pyconsul.agent.gossip.driver.joining import Contact, join
from pyconsul.agent.gossip.driver.keyring import PoolKeyring
from pyconsul.agent.gossip.driver.packet_decoder import PacketDecoder
from pyconsul.agent.gossip.driver.pool_driver import PoolDriver
from pyconsul.agent.gossip.driver.pool_events import PoolEvents
from pyconsul.agent.gossip.driver.pool_log import PoolLog
from pyconsul.agent.gossip.driver.snapshot_file import SnapshotFile
from pyconsul.agent.gossip.driver.stream_server import StreamServer
from pyconsul.agent.gossip.driver.streams import StreamClient, StreamCodec, StreamError
from pyconsul.agent.gossip.membership import Explanation, JoinResult, Keyring, PoolEvent
from pyconsul.agent.gossip.pool import GossipPool
from pyconsul.agent.gossip.serf.effects import (
    KeyReported,
    LeftPool,
    MemberChanged,
    QueryReceived,
    ShutDown,
    StoreKeyring,
    UserEventReceived,
)
from pyconsul.agent.gossip.settings import PoolSettings
from pyconsul.agent.gossip.swim.effects import MemberSuspected, UdpTested
from pyconsul.agent.gossip.swim.packets import Queue
from pyconsul.agent.gossip.wire.messages import Address
from pyconsul.agent.model.coordinate import Coordinate
from pyconsul.agent.model.member import Member, MemberStatus, UnknownMember

#: Members known before a restart that are tried together: one that does not answer at all takes 10 s.
REJOIN_AT_ONCE = 3
#: Seconds between the attempts to join any of them.
REJOIN_DELAYS_S = (1.0, 2.0, 5.0, 10.0, 30.0, *(60.0,) * 10)


class Pool:
    """One pool of this agent, with its sockets open."""

    def __init__(
        self,
        settings: PoolSettings,
        core: GossipPool,
        udp: socket.socket,
        frames: Frames,
        snapshot: SnapshotFile | None,
        executor: ThreadPoolExecutor,
        log: PoolLog,
    ) -> None:
        """`executor` has one thread: for large streams, and for the files."""
        self._settings = settings
        self._core = core
        self._snapshot = snapshot
        self._executor = executor
        self._log = log
        codec = StreamCodec(frames, executor)
        events = self._events = PoolEvents(settings.name, self.explain, snapshot, log)
        self._driver = PoolDriver(
            core,
            udp,
            frames,
            PacketDecoder(frames, settings.admission, log),
            StreamClient(codec),
            log,
            tcp_timeout_s=settings.swim.tcp_timeout_s,
            snapshot=snapshot,
            handlers={
                MemberChanged: events.member_changed,
                MemberSuspected: events.member_suspected,
                UserEventReceived: events.event_received,
                QueryReceived: events.query_received,
                KeyReported: self._keys_reported,
                StoreKeyring: self._store_keyring,
                UdpTested: self._udp_tested,
                LeftPool: lambda effect: self._left.set(),
                ShutDown: lambda effect: log.line("shut down", f"{effect.reason}: ignored", logging.ERROR),
            },
        )
        self._keyring = PoolKeyring(self._driver, settings.keyring_file, executor)
        self._streams = StreamServer(codec, self._driver, settings.swim.tcp_timeout_s, log, self._driver.now)
        self._left = asyncio.Event()
        self._udp_tests: dict[Address, list[asyncio.Future[bool]]] = {}

    async def start(self, tcp: socket.socket, known: Sequence[str]) -> None:
        """Take part in the pool, and join one of the known members in the background ("ADDRESS:PORT", in this order)."""
        await self._streams.start(tcp)
        self._driver.start()
        if known:
            self._driver.spawn(self._rejoin(known))

    async def close(self) -> None:
        """Close the sockets and write what is left to the files."""
        self._keyring.close()
        await self._streams.close()
        await self._driver.close()
        for futures in self._udp_tests.values():
            for future in futures:
                if not future.done():
                    future.set_result(True)
        if self._snapshot is not None:
            await self._snapshot.close()
        self._left.set()
        self._log.close()
        self._executor.shutdown(wait=False)

    # --- what is known

    @property
    def local(self) -> Member:
        """This agent."""
        own = self._core.serf.members.get(self._settings.name)
        if own is None:
            raise UnknownMember(self._settings.name)
        return own

    @property
    def coordinate(self) -> Coordinate:
        """The network coordinate of this agent in this pool."""
        return self._core.serf.coordinates.coordinate

    @property
    def keyring(self) -> Keyring:
        """The gossip keys of the pool."""
        return self._keyring

    def members(self) -> Sequence[Member]:
        """Return all members, this agent included, also those that left or failed and are not erased yet."""
        return tuple(self._core.serf.members)

    def coordinate_of(self, name: str) -> Coordinate | None:
        """Return the coordinate of a member, as it reported it with its last ack; None if it is not known."""
        coordinates = self._core.serf.coordinates
        return coordinates.coordinate if name == self._settings.name else coordinates.peer(name)

    def explain(self, name: str) -> Explanation:
        """Return why a member has its status. Raises UnknownMember."""
        driver = self._driver
        return self._core.explain(name, driver.now(), undecryptable_packets=driver.undecryptable(name))

    def stats(self) -> dict[str, str]:
        """Return the figures that `/v1/agent/self` shows."""
        serf, swim = self._core.serf, self._core.swim
        figures = {
            "members": len(serf.members),
            "failed": len(serf.members.with_status(MemberStatus.FAILED)),
            "left": len(serf.members.with_status(MemberStatus.LEFT)),
            "health_score": swim.health_score,
            "member_time": serf.intents.clock.time,
            "event_time": serf.events.clock.time,
            "query_time": serf.queries.clock.time,
            "intent_queue": swim.queue_length(Queue.INTENTS),
            "event_queue": swim.queue_length(Queue.EVENTS),
            "query_queue": swim.queue_length(Queue.QUERIES),
            "coordinate_resets": serf.coordinates.resets,
        }
        texts = {name: str(number) for name, number in figures.items()}
        return {**texts, "encrypted": str(self._keyring.is_encrypted).lower()}

    # --- what operators do

    async def join(self, addresses: Sequence[str]) -> JoinResult:
        """Join the pools of these addresses. Never raises."""
        swim = self._settings.swim
        result = await join(addresses, self, default_port=self._settings.port, timeout_s=swim.tcp_timeout_s)
        for address in result.without_udp:
            text = f"joined a member that UDP does not reach, or not back: address={address} (open its UDP port in the firewall)"
            self._log.line("joined without UDP", text)
        return result

    async def leave(self) -> None:
        """Leave gracefully; ends when the others have heard of it."""
        if self._snapshot is not None and not self._core.serf.intents.leaving.is_leaving:
            self._snapshot.leave()
        self._driver.run(self._core.leave(self._driver.now()))
        await self._left.wait()

    def force_leave(self, name: str, *, prune: bool = False) -> None:
        """Declare that a failed member left; with `prune`, erase it. Raises UnknownMember."""
        self._driver.run(self._core.force_leave(name, self._driver.now(), prune=prune))

    def fire(self, name: str, payload: bytes) -> int:
        """Send a user event to all members, this one included; returns its Lamport time. Raises EventTooLarge."""
        time, outputs = self._core.fire(name, payload, self._driver.now())
        self._driver.run(outputs)
        return time

    def set_tags(self, tags: dict[str, str]) -> None:
        """Replace the tags of this agent. Raises ValueError if they are too long."""
        if tags != self.local.tags:
            self._driver.run(self._core.set_tags(tags, self._driver.now()))

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        """Call a listener at each event from now on; returns a function that ends it. The listener must not block."""
        return self._events.subscribe(listener)

    # --- what joining needs (a Joinable)

    async def contact(self, address: Address) -> Contact:
        """Test UDP, and join the pool of an address. Raises StreamError, MergeRefused."""
        if self._driver.is_closed:
            raise StreamError("the gossip pool is closed")
        test: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def before() -> None:
            # UDP first: see `Swim.test_udp`. If no packet passes, TCP does not wait for the whole test.
            self._udp_tests.setdefault(address, []).append(test)
            self._driver.run(self._core.test_udp(address, self._driver.now()))
            await asyncio.wait([test], timeout=self._settings.swim.probe_timeout_s)

        is_self = await self._driver.join(address, before)
        return Contact(is_self, await test)

    def announce(self) -> None:
        """Tell the pool that this agent has joined."""
        self._driver.run(self._core.joined(self._driver.now()))

    async def _rejoin(self, known: Sequence[str]) -> None:
        """Join a pool again whose members may be down as well, or start at the same time, until another member is there."""
        for delay_s in REJOIN_DELAYS_S:
            for start in range(0, len(known), REJOIN_AT_ONCE):
                some = known[start : start + REJOIN_AT_ONCE]
                result = await join(some, self, default_port=self._settings.port, timeout_s=1.0)
                if result.contacted > result.contacted_self:
                    self._log.line("rejoin", f"joined the pool again: contacted={result.contacted}", logging.INFO)
                    return
            text = f"cannot join the pool again, no known member answers: members={len(known)} retry_in={delay_s:g}s"
            self._log.line("rejoin", text)
            await asyncio.sleep(delay_s)
            if len(self._core.serf.members) > 1 or self._core.serf.intents.leaving.is_leaving:
                return

    # --- what happens

    def _keys_reported(self, effect: KeyReported) -> None:
        self._keyring.reported(effect)

    def _store_keyring(self, effect: StoreKeyring) -> None:
        self._keyring.store(effect)

    def _udp_tested(self, effect: UdpTested) -> None:
        for future in self._udp_tests.pop(effect.address, []):
            if not future.done():
                future.set_result(effect.reaches_peer and effect.reaches_us)
