"""A connection to another agent after the handshake: requests in both directions, signs of life, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from pyconsul.agent.common.go.network_errors import phrase
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response
from pyconsul.agent.rpc.contract import NotSent, Peer
from pyconsul.agent.rpc.transport import frames
from pyconsul.agent.rpc.transport.asking import Asking
from pyconsul.agent.rpc.transport.channel import MAX_UNSENT_BYTES, Channel
from pyconsul.agent.rpc.transport.serving import Service, Serving

TICK_S = 0.5  # between two calls of `tick`
PING_S = 1.5  # of silence, of either agent, after which the dialing one asks for a sign of life, and gives one
DEAD_S = 4.0  # of silence after which the other agent counts as gone
DOUBT_S = 0.3  # that an agent which gossip takes for gone gets to give a sign of life
WRITE_BUFFER_BYTES = 256 << 10  # in the transport, at which bodies wait

log = logging.getLogger("agent.rpc")


class Connection(asyncio.Protocol):
    """One connection.  is_dialer: this agent has dialed.  changed: called when it begins to end, and when it has ended."""

    def __init__(
        self,
        transport: asyncio.Transport,
        peer: Peer,
        *,
        is_dialer: bool,
        service: Service,
        changed: Callable[[Connection], None],
    ) -> None:
        self.peer, self.is_dialer = peer, is_dialer
        self._transport, self._changed = transport, changed
        self._loop = asyncio.get_running_loop()
        address = transport.get_extra_info("peername")
        self.remote = str(address[0]) if isinstance(address, tuple) else ""
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._reader = frames.FrameReader()
        self._channel = Channel(transport, self._give_up_writing, self._close_if_done)
        self._asking = Asking(self._channel, peer.name, 1 if is_dialer else 2)
        self._serving = Serving(self._channel, peer, self.remote, service)
        self._heard, self._heard_at = True, self._loop.time()
        self._flushes, self._sent_at = 0, self._heard_at
        self._reason = ""  # of the end
        self._doubts = ""  # why the other agent may be gone
        self._is_leaving = False  # this agent has said goodbye
        self._is_left = False  # the other one has
        self.ended = self._loop.create_future()

    # --- for the owner

    @property
    def is_open(self) -> bool:
        """Return whether requests can be sent."""
        return not (self._is_leaving or self._reason)

    @property
    def reason(self) -> str:
        """Return why the connection has ended, "" before."""
        return self._reason

    @property
    def in_flight(self) -> int:
        """Return the number of requests under way in both directions."""
        return len(self._asking) + len(self._serving)

    async def ask(self, request: HTTPRequest, timeout_s: float = 0.0) -> Response:
        """Send a request and return its response, as `Peers.ask`.  timeout_s: for the response; 0: none.  Raises NotSent, Lost."""
        if not self.is_open:
            raise NotSent(self._reason or f"the connection to agent {self.peer.name} is ending")
        return await self._asking.ask(request, timeout_s)

    def leave(self, refusal: str = "") -> None:
        """End the connection as soon as all requests under way are answered.  refusal: of new ones; "": they are served.

        An agent that has said goodbye sends no more requests.  When both have, and all is answered, the connection is closed.
        """
        if refusal:
            self._serving.refuse_all(refusal)
        if not self._is_leaving and not self._reason:
            self._is_leaving = True
            self._channel.send(frames.Goodbye())
            self._changed(self)

    def fail(self, reason: str) -> None:
        """End the connection at once."""
        if not self.ended.done() and not self._reason:
            self._reason = reason
            self._channel.close()
            self._transport.abort()
            self._changed(self)

    def doubt(self, reason: str) -> None:
        """End the connection unless the other agent gives a sign of life at once: gossip takes it for gone."""
        if self._doubts or self._reason:
            return
        self._doubts = reason
        self._channel.send(frames.Ping())
        self._loop.call_later(DOUBT_S, self._end_if_doubted)

    def _end_if_doubted(self) -> None:
        if self._doubts:
            self.fail(self._doubts)

    def tick(self, now: float, late_s: float) -> None:
        """Look for signs of life, and for requests whose time is over.  late_s: by which this agent itself was held up."""
        if self._heard:
            self._heard, self._heard_at = False, now
        elif late_s > TICK_S:
            self._heard_at += late_s  # what has arrived meanwhile is not read yet
        if self._flushes != self._channel.flushes:
            self._flushes, self._sent_at = self._channel.flushes, now
        silent_s = now - self._heard_at
        if silent_s >= DEAD_S:
            self.fail(f"no sign of life of agent {self.peer.name} for {silent_s:.0f} s")
        elif self.is_dialer and max(silent_s, now - self._sent_at) >= PING_S:
            self._channel.send(frames.Ping())
        self._asking.expire(now)

    # --- the transport

    def data_received(self, data: bytes) -> None:
        self._heard, self._doubts = True, ""
        self._channel.hold()
        try:
            for frame in self._reader.feed(data):
                self._take(frame)
        except frames.FrameError as error:
            log.warning("closed the connection to agent %s at %s: %s", self.peer.name, self.remote, error)
            self.fail(f"agent {self.peer.name} has sent what is not a frame: {error}")
        finally:
            self._channel.release()

    def pause_writing(self) -> None:
        self._channel.pause()

    def resume_writing(self) -> None:
        self._channel.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        cause = phrase(exc) if isinstance(exc, OSError) else "it was closed"
        self._reason = self._reason or f"the connection to agent {self.peer.name} is lost: {cause}"
        self._channel.close()
        self._asking.lose(self._reason)
        self._serving.lose()
        if not self.ended.done():
            self.ended.set_result(None)
        self._changed(self)

    # --- frames

    def _take(self, frame: frames.Frame) -> None:
        match frame:
            case frames.Request():
                if frame.id % 2 == self.is_dialer:
                    raise frames.FrameError(f"a request with number {frame.id}, which this agent gives")
                self._serving.take(frame)
            case frames.Response():
                self._asking.respond(frame)
            case frames.Part():
                self._half(frame.id).feed(frame)
            case frames.Credit():
                self._half(frame.id).credit(frame)
            case frames.Cancel():
                self._half(frame.id).cancel(frame)
            case frames.Refusal():
                self._asking.refuse(frame)
            case frames.Ping():
                self._channel.send(frames.Pong())
            case frames.Goodbye():
                self._is_left = True
                self.leave()

    def _half(self, number: int) -> Asking | Serving:
        return self._asking if number % 2 == self.is_dialer else self._serving

    def _give_up_writing(self) -> None:
        log.warning("closed the connection to agent %s: it reads nothing", self.peer.name)
        self.fail(f"agent {self.peer.name} reads nothing: {MAX_UNSENT_BYTES >> 20} MB wait for it")

    def _close_if_done(self) -> None:
        if self._is_leaving and self._is_left and not self.in_flight and self._channel.is_empty:
            self._transport.close()


def transport_of(transport: asyncio.BaseTransport) -> asyncio.Transport:
    """Return a transport of a stream socket under its type."""
    return cast(asyncio.Transport, transport)
