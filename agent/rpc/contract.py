"""The contract of requests between agents.

Two agents share one connection.  Each side may send requests, any number at once; a request and a response are those of the HTTP
API, with the headers in lower case that its handlers read.  Client agents and servers connect to servers; a server asks a client
agent over the connection that this one keeps open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec

from pyconsul.agent.gossip.consul.tags import Server
from pyconsul.agent.httpapi.core.forwarding.standing import Scope
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response


class Peer(msgspec.Struct, frozen=True):
    """The agent at the other end of a connection, as it introduced itself.  version: of pyconsul, for the log."""

    node_id: str
    name: str
    datacenter: str
    is_server: bool
    version: str = ""


class RPCError(Exception):
    """A request to another agent has no response; the text gives the reason, without the request."""


class NotSent(RPCError):
    """The request was not carried out, and will not be: it may be sent again, to the same agent or another one."""


class ServedByItself(NotSent):
    """The asking agent serves such requests itself now."""


class Lost(RPCError):
    """The connection ended before the response came: the request may have been carried out."""


class RateExceeded(RPCError):
    """This agent sends more requests than `limits.rpc_rate` allows.  Nobody has carried it out; no other server is to be tried."""


#: Answers a request of another agent.  May raise NotSent to refuse a request that was not begun ("this server does not lead").
Serve: TypeAlias = Callable[[Request, Peer], Response | Awaitable[Response]]


class Servers(Protocol):
    """The servers of this agent's datacenter that are alive, as gossip knows them now."""

    def all(self) -> Sequence[Server]:
        """Return all of them, this agent included if it is one."""

    def find(self, node_id: str) -> Server | None:
        """Return the server with a node ID."""

    def subscribe(self, listener: Callable[[], None], /) -> Callable[[], None]:
        """Call a listener whenever a server is added, removed, or has another address; returns a function that ends it."""


class Peers(Protocol):
    """The agents that this one can send requests to: every known server, and every connected agent."""

    def find(self, name: str) -> Peer | None:
        """Return a connected agent by its node name, without regard to case."""

    async def ask(self, node_id: str, request: HTTPRequest) -> Response:
        """Send a request and return its response; one of a stream has its parts in `Response.stream`.

        Connects to a server first if that is needed.  Cancellation ends the request at the other side too, and so does closing or
        dropping the stream, or cancelling a task that waits for its next part.  Raises NotSent, Lost, RateExceeded.
        """


class AskServer(Protocol):
    """Sends requests of this agent itself to the servers of its datacenter."""

    async def __call__(self, scope: Scope, request: HTTPRequest) -> Response:
        """Return the response of a server: for "write" the leader, for "read" any; retried and held as a client's request is.

        A response with an error is returned like any other.  One of a stream has its parts in `Response.stream`.
        Raises NotSent, Lost.
        """
