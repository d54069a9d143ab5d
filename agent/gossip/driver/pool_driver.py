"""Runs a pool: gives it packets, streams and the time, and carries out what it asks for.

One timer is armed for the pool's deadline. Before the pool is told the time, the packets that have arrived are taken in, since they
may refute what is about to be declared; after a long pause (a suspended machine, a busy loop) there may be many.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from pyconsul.agent.common.go.network_errors import join_address, phrase
from pyconsul.agent.gossip.driver.frames import Frames
from pyconsul.agent.gossip.driver.packet_decoder import PacketDecoder
from pyconsul.agent.gossip.driver.packets import PacketSocket
from pyconsul.agent.gossip.driver.pool_log import PoolLog, plain
from pyconsul.agent.gossip.driver.snapshot_file import SnapshotFile
from pyconsul.agent.gossip.driver.sockets import SocketAddress, ip_of, ip_text
from pyconsul.agent.gossip.driver.streams import StreamClient, StreamError
from pyconsul.agent.gossip.pool import GossipPool, Output
from pyconsul.agent.gossip.serf import effects as serf_effects
from pyconsul.agent.gossip.serf.addresses import ip_bytes
from pyconsul.agent.gossip.swim import effects as swim_effects
from pyconsul.agent.gossip.swim.effects import ExchangeState, SendPacket, SendStreamPing
from pyconsul.agent.gossip.swim.push_pull import MergeRefused
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.messages import Ack, Address, Ping, PushPull, StreamMessage, UserMessage
from pyconsul.agent.gossip.wire.packet import encode_packet

#: Turns of the event loop for which the time is kept from the pool while packets go on arriving.
MAX_POSTPONED = 16
#: Members of a push/pull that are merged in one turn of the event loop.
MERGE_PART = 200
_EARLIEST_S = 0.001  # until the timer fires
_AFTER_ERROR_S = 0.5  # likewise, when an unexpected error may have left the deadline in the past

Handlers = Mapping[type, Callable[[Any], None]]


class PoolDriver:
    """The sockets and the timer of one pool. Times are seconds of `time.monotonic`."""

    def __init__(
        self,
        core: GossipPool,
        udp: socket.socket,
        frames: Frames,
        decoder: PacketDecoder,
        client: StreamClient,
        log: PoolLog,
        *,
        tcp_timeout_s: float,
        snapshot: SnapshotFile | None,
        handlers: Handlers,
    ) -> None:
        """`handlers` take the outputs that concern others than the pool's own network traffic."""
        self.core = core
        self.frames = frames
        self.log = log
        self._decoder = decoder
        self._client = client
        self._tcp_timeout_s = tcp_timeout_s
        self._snapshot = snapshot
        self._packets = PacketSocket(udp, self._receive, self._settled)
        self._handlers: Handlers = {
            SendPacket: self._send,
            SendStreamPing: lambda ping: self.spawn(self._stream_ping(ping)),
            ExchangeState: lambda effect: self.spawn(self._push_pull(effect.member.name, effect.member.address)),
            serf_effects.Reconnect: lambda effect: self.spawn(self._reconnect(effect)),
            swim_effects.LogLine: lambda line: log.line(line.category, line.text),
            serf_effects.LogLine: lambda line: log.line(
                line.category, line.text, logging.ERROR if line.is_error else logging.WARNING
            ),
            **handlers,
        }
        self._outputs: deque[Output] = deque()
        self._is_running = False
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = float("inf")
        self._postponed = 0
        self.is_closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._own_streams: set[SocketAddress] = set()  # local ends of the streams that this agent has opened to join
        self._self_contacts: set[SocketAddress] = set()  # those of them that it has answered itself

    # --- life

    def start(self) -> None:
        """Take part in the pool, in the running loop."""
        self._packets.start()
        self.run(self.core.start(self.now()))

    async def close(self) -> None:
        """Stop; nothing is sent any more."""
        self.is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._packets.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def now(self) -> float:
        """Return the time that the pool is told."""
        return time.monotonic()

    def run(self, outputs: Sequence[Output]) -> None:
        """Carry out what a method of the pool has returned."""
        self._carry_out(outputs)
        self._settled()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background, until the pool is closed."""
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self.log.failure("a task of gossip failed", error)

    def undecryptable(self, name: str) -> int:
        """Return the number of packets from a member's address that no key fits."""
        member = self.core.serf.members.get(name)
        if member is None:
            return 0
        try:
            return self._decoder.undecryptable(Address(ip_bytes(member.address), member.port))
        except ValueError:
            return 0

    # --- packets

    def _receive(self, data: bytes, source: SocketAddress) -> None:
        try:
            found = self._decoder.decode(data, source)
            if found is not None:
                self._carry_out(self.core.receive(*found, self.now()))
        except Exception as error:  # whatever a packet does, the next one is taken in
            self.log.failure("a packet could not be taken in", error)

    def _send(self, effect: SendPacket) -> None:
        data = encode_packet(effect.encoded_parts(), self.frames.present, crc=effect.crc)
        try:
            self._packets.send(data, effect.address)
        except BlockingIOError:
            self.log.line("packet lost", "lost a packet: the send buffer of the system is full")
        except (OSError, ValueError) as error:
            reason = phrase(error) if isinstance(error, OSError) else str(error)
            text = f"cannot send a packet: address={_text(effect.address)} error={reason!r}"
            self.log.line("packet not sent", text)

    def _carry_out(self, outputs: Sequence[Output]) -> None:
        """Carry out outputs in their order; those that follow from a handler's own calls come after them."""
        self._outputs.extend(outputs)
        if self._is_running or self.is_closed:
            return
        self._is_running = True
        try:
            while self._outputs:
                output = self._outputs.popleft()
                handler = self._handlers.get(type(output))
                if handler is not None:
                    self._handle(handler, output)
        finally:
            self._is_running = False

    def _handle(self, handler: Callable[[Any], None], output: Output) -> None:
        try:
            handler(output)
        except Exception as error:
            self.log.failure(f"cannot carry out {type(output).__name__}", error)

    # --- time

    def _settled(self) -> None:
        """After each call of the pool: arm the timer for what is due next."""
        if self.is_closed:
            return
        if self._snapshot is not None:
            self._snapshot.check_clock()
        deadline = self.core.deadline()
        if deadline < self._fires_at:
            self._arm(deadline - self.now(), deadline)

    def _arm(self, delay_s: float, fires_at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = fires_at
        self._timer = asyncio.get_running_loop().call_later(max(_EARLIEST_S, delay_s), self._tick)

    def _tick(self) -> None:
        self._timer, self._fires_at = None, float("inf")
        if self._packets.drain() and self._postponed < MAX_POSTPONED:
            self._postponed += 1
            self._arm(0.0, self.now())
            return
        self._postponed = 0
        try:
            now = self.now()
            if self.core.deadline() <= now:
                self._carry_out(self.core.tick(now))
        except Exception as error:
            self.log.failure("a timer of gossip failed", error)
            self._arm(_AFTER_ERROR_S, self.now() + _AFTER_ERROR_S)
        else:
            self._settled()

    # --- streams of others (a StreamHandler)

    def answer(self, message: StreamMessage, source: SocketAddress) -> StreamMessage | None:
        """Return the answer to a stream. Raises DecodeError for a message that has no place in one."""
        if isinstance(message, PushPull):
            if source in self._own_streams:
                self._self_contacts.add(source)
            return self.core.push_pull(join=message.join)
        if isinstance(message, Ping):
            return self.core.swim.answer_stream_ping(message)
        if isinstance(message, UserMessage):
            return None
        raise DecodeError(f"unexpected {type(message).__name__} in a stream")

    async def take(self, message: StreamMessage, source: SocketAddress) -> None:
        """Take in the message of a stream, after it was answered."""
        if isinstance(message, PushPull):
            try:
                await self._merge(message)
            except MergeRefused as error:
                text = f"refused to merge the pool of a peer: source={join_address(*source)} error={str(error)!r}"
                self.log.line("merge refused", text)
        elif isinstance(message, UserMessage):
            self.run(self.core.receive([message], Address(ip_of(source[0]), source[1]), self.now()))

    # --- own streams

    async def join(self, address: Address, before: Callable[[], Awaitable[None]]) -> bool:
        """Join the pool of an address; return whether this agent answered itself. Raises StreamError, MergeRefused.

        `before` is called once the connection is there.
        """
        own: list[SocketAddress] = []

        async def opened(address: SocketAddress) -> None:
            own.append(address)
            self._own_streams.add(address)
            await before()

        try:
            answer = await self._ask(address, lambda: self.core.push_pull(join=True), opened)
            await self._merge(answer, is_joining=True)
            return not self._self_contacts.isdisjoint(own)
        finally:
            self._own_streams.difference_update(own)
            self._self_contacts.difference_update(own)

    async def _push_pull(self, name: str, address: Address, *, join: bool = False) -> None:
        """Exchange states with a member; a failure is only logged, since probes decide what a member is."""
        try:
            await self._merge(await self._ask(address, lambda: self.core.push_pull(join=join)))
        except (StreamError, MergeRefused) as error:
            what = "reconnect" if join else "push/pull"
            level = logging.DEBUG if join else logging.WARNING
            self.log.line(what, f"{what} failed: member={plain(name)} error={str(error)!r}", level)

    async def _reconnect(self, effect: serf_effects.Reconnect) -> None:
        member = effect.member
        await self._push_pull(member.name, Address(ip_bytes(member.address), member.port), join=True)

    async def _stream_ping(self, effect: SendStreamPing) -> None:
        try:
            answer = await self._client.ask(effect.address, lambda: effect.ping, effect.timeout_s)
        except StreamError as error:
            text = f"no answer to a ping by TCP: member={plain(effect.ping.node)} error={str(error)!r}"
            self.log.line("stream ping", text, logging.DEBUG)
            return
        if isinstance(answer, Ack):
            self.core.swim.stream_ack(answer.seq_no)
            self._settled()

    async def _ask(
        self,
        address: Address,
        message: Callable[[], StreamMessage],
        opened: Callable[[SocketAddress], Awaitable[None]] | None = None,
    ) -> PushPull:
        answer = await self._client.ask(address, message, self._tcp_timeout_s, opened=opened)
        if not isinstance(answer, PushPull):
            raise StreamError(f"unexpected answer {type(answer).__name__} to a push/pull")
        return answer

    async def _merge(self, message: PushPull, *, is_joining: bool = False) -> None:
        """Merge a push/pull, a large one in parts. Raises MergeRefused."""
        nodes = message.nodes
        self.core.check_merge(message)
        for start in range(0, len(nodes), MERGE_PART):
            if start:
                await asyncio.sleep(0)
            self.run(self.core.merge_nodes(nodes[start : start + MERGE_PART], self.now()))
        self.run(self.core.merge_user_state(message, self.now(), is_joining=is_joining))


def _text(address: Address) -> str:
    try:
        return join_address(ip_text(address.ip), address.port)
    except ValueError:
        return f"{address.ip.hex()}:{address.port}"
