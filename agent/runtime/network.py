"""The ways of an agent to others: its gossip pool, and requests to and from other agents (RPC)."""

from __future__ import annotations

import ipaddress
import logging
import random
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.metadata import PackageNotFoundError, version

from pyconsul.agent.common.go.network_errors import join_address
from pyconsul.agent.config.config import Config
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.httpapi.core.forwarding.standing import Standing
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.remote.agents import OtherAgents
from pyconsul.agent.rpc.contract import NotSent, Peer, Serve
from pyconsul.agent.rpc.forwarding.server_requests import ServerRequests
from pyconsul.agent.rpc.listener import Listener
from pyconsul.agent.rpc.peers import PeerConnections
from pyconsul.agent.rpc.servers import GossipServers
from pyconsul.agent.rpc.transport.handshake import Identity
from pyconsul.agent.rpc.transport.serving import Service
from pyconsul.agent.runtime import listeners
from pyconsul.agent.runtime.cluster_settings import rpc_settings
from pyconsul.agent.runtime.gossip.lan import open_lan
from pyconsul.agent.runtime.gossip.wan import open_wan

STOP_S = 2.0  # that requests of other agents get when this one ends

log = logging.getLogger("agent.rpc")


class Network:
    """The pools and the RPC connections of one agent.  wan: None for an agent without a WAN pool.

    `answer_with` and `hand_over_to` say who takes what comes in; before that requests are refused, and sent again by their agents.
    """

    def __init__(self, config: Config, lan: Membership, wan: Membership | None = None) -> None:
        self._config, self.lan, self.wan = config, lan, wan
        self._settings = rpc_settings(config)
        self._version = _version()
        self._serve: Serve = _starting
        self._take_relay: Callable[[socket.socket, str], None] = _no_relay
        self.servers = GossipServers(lan, config.datacenter)
        self.peers = PeerConnections(self._identity, self.servers, Service(self._answer), lambda: self._settings)
        self._listener: Listener | None = None

    def listen(self, listening: socket.socket) -> None:
        """Accept connections of other agents from now on."""
        self._listener = Listener(
            [listening],
            self._identity,
            lambda: self._settings,
            self.peers.made_by_listener,
            self.peers.refusal,
            self._hand_over,
        )
        self._listener.start()
        self._report_trust(*listening.getsockname()[:2])

    def _report_trust(self, host: str, port: int) -> None:
        """Log which agents are trusted on a port that other machines reach."""
        if ipaddress.ip_address(host).is_loopback:
            return
        address = join_address(host, port)
        if self.lan.keyring.is_encrypted:
            log.info("any agent that knows a gossip key is trusted on the RPC port: address=%s", address)
        else:
            log.warning(
                "any agent is trusted on the RPC port, as there is no gossip key (encrypt): address=%s", address
            )

    def configure(self, config: Config) -> None:
        """Use other settings from now on."""
        self._config, self._settings = config, rpc_settings(config)

    def answer_with(self, serve: Serve) -> None:
        """Let `serve` answer the requests of other agents."""
        self._serve = serve

    def hand_over_to(self, take: Callable[[socket.socket, str], None]) -> None:
        """Let `take` have the connections of the other servers' relays."""
        self._take_relay = take

    async def stop(self) -> None:
        """Accept nothing more, and end all connections."""
        if self._listener is not None:
            self._listener.close()
        self.servers.close()
        await self.peers.stop(STOP_S)

    def _answer(self, request: Request, peer: Peer) -> Response | Awaitable[Response]:
        return self._serve(request, peer)

    def _hand_over(self, sock: socket.socket, peer: str) -> None:
        self._take_relay(sock, peer)

    def _identity(self) -> Identity:
        config = self._config
        return Identity(
            config.node_id, config.node_name, config.datacenter, config.server, self._version, self.lan.keyring.keys
        )


async def open_network(config: Config, stack: AsyncExitStack) -> Network:
    """Open the gossip pools and, for a server, the RPC port; the stack closes both.  Raises GossipError, ListenError."""
    listening = None
    if config.server and config.ports.server > 0:
        listening = listeners.tcp(config.bind_addr, config.ports.server, "-server-port")
        stack.callback(listening.close)
    lan = await open_lan(config, stack)
    network = Network(config, lan, await open_wan(config, lan, stack))
    stack.push_async_callback(network.stop)
    if listening is not None:
        network.listen(listening)
    return network


def server_requests(
    config: Config, network: Network, standing: Standing, leader: Callable[[], str] | None
) -> ServerRequests:
    """Return the way of this agent's requests to the servers; the arguments are those of `ServerRequests`."""
    return ServerRequests(
        network.servers,
        network.peers,
        standing,
        own_id=config.node_id,
        leader=leader,
        hold_s=lambda: config.performance.rpc_hold_timeout,
        rng=random.Random(),
    )


def other_agents(config: Config, network: Network, own: Callable[[str], str]) -> OtherAgents:
    """Return the way of requests for one other agent.  own: returns one of this agent's tokens by its name."""
    return OtherAgents(
        network.peers, network.servers, network.lan, own, node_id=config.node_id, is_server=config.server
    )


def _starting(_: Request, __: Peer) -> Response:
    raise NotSent("the agent is starting")


def _no_relay(sock: socket.socket, peer: str) -> None:
    log.debug("closed a connection for a relay, which this agent does not have: from=%s", peer)
    sock.close()


def _version() -> str:
    try:
        return version("pyconsul")
    except PackageNotFoundError:  # run from a checkout
        return ""
