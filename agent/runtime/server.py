"""The parts of a server: builds them, starts them in order, and stops them in reverse."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeAlias

from pyconsul.agent.acl.resolver import Resolver
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.agent.config.config import Config
from pyconsul.agent.dnsd.settings import settings_of
from pyconsul.agent.duties.acl_bootstrap import ACLBootstrap
from pyconsul.agent.duties.contract import Duty, Leadership
from pyconsul.agent.duties.history_retention import HistoryRetention
from pyconsul.agent.duties.leader_duties import LeaderDuties
from pyconsul.agent.duties.session_expiry import SessionExpiry
from pyconsul.agent.duties.state_upkeep import StateUpkeep
from pyconsul.agent.duties.token_expiry import TokenExpiry
from pyconsul.agent.events.event_log import EventLog
from pyconsul.agent.events.timeline import Timeline
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.forwarding.standing import Cluster, Standing
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.handlers.acl.login_keys import LoginKeys
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.remote.catalog import RemoteCatalog
from pyconsul.agent.remote.dns.held_parts import HeldParts
from pyconsul.agent.remote.resolver import remote_resolver
from pyconsul.agent.remote.server_catalog import ServerCatalog
from pyconsul.agent.rpc.contract import Peer, Serve
from pyconsul.agent.rpc.forwarding.forwarder import ServerForwarder
from pyconsul.agent.rpc.forwarding.peer_requests import PeerRequests
from pyconsul.agent.rpc.forwarding.server_requests import ServerRequests
from pyconsul.agent.runtime import access_control, local, snapshots
from pyconsul.agent.runtime.gossip import members, retry_join
from pyconsul.agent.runtime.network import Network, open_network, other_agents, server_requests
from pyconsul.agent.runtime.reload import AgentControl
from pyconsul.agent.runtime.serving import Front, start_loop_lag
from pyconsul.agent.runtime.steady_clock import SteadyClock
from pyconsul.agent.runtime.storage import Storage, history_retention
from pyconsul.agent.state.acl.tables import TOPIC as ACL_TOPIC
from pyconsul.agent.state.watches import Watches, on_replaced
from pyconsul.agent.sync.agent_tokens import AgentTokens, agent_tokens
from pyconsul.agent.sync.anti_entropy.local_catalog import LocalCatalog
from pyconsul.agent.sync.local_agent import LocalAgent

CLUSTER_PATH = b"/v1/pyconsul/cluster/"


class ClusterMember(Protocol):
    """A server as a member of its cluster."""

    async def serve(self, request: Request, peer: Peer) -> Response:
        """Respond to what only servers ask each other, below CLUSTER_PATH."""

    async def leave(self) -> None:
        """Leave the cluster for good."""

    async def hand_over(self) -> None:
        """Let another server lead."""


@dataclass(frozen=True, slots=True)
class Place:
    """The state of a server, and its place among the others.

    cluster: None for a server that stays alone.   leader: returns the node ID of the leader, or "".
    member: this server as a member of its cluster.
    """

    storage: Storage
    leadership: Leadership
    standing: Standing
    cluster: Cluster | None
    leader: Callable[[], str]
    member: ClusterMember | None = None


#: Opens the state of a server, given its network and a clock (Unix seconds).
OpenPlace: TypeAlias = Callable[[Network, Callable[[], float]], Awaitable[Place]]


async def start(
    config: Config,
    open_place: OpenPlace,
    stack: AsyncExitStack,
    stop: Callable[[int], None],
    notifier: Notifier | None = None,
) -> AgentControl:
    """Start every part; the stack stops them in reverse.

    stop: ends the agent with an exit status.   notifier: is told of reloads.
    Raises WatchError, ListenError, EngineError, FileDefinitionError, GossipError.
    """
    front = Front(config)
    clock = _start_clock(stack)
    network = await open_network(config, stack)
    lan = network.lan
    place = await open_place(network, clock)
    storage, leadership = place.storage, place.leadership
    store = storage.store
    timeline = Timeline(store, time.time)
    tokens = agent_tokens(config, partial(store.watches.fire, (ACL_TOPIC,)))
    sessions, history = await _start_duties(config, storage, clock, leadership, stack)
    local_watches = Watches()
    servers = server_requests(config, network, place.standing, place.leader)
    acl = _resolver(config, place, servers, tokens, clock, stack) if config.acl.enabled else None
    elsewhere = HeldParts(servers, Watches(), settings_of(config), tokens.get, random.Random())
    agent = await _start_local(config, place, RemoteCatalog(servers, tokens.get), acl, local_watches, stack)
    events = EventLog(local_watches, asyncio.get_running_loop().call_soon, time.time)
    counters = members.follow_events(config, lan, agent, events, stack)
    await members.follow_members(config, lan, storage, leadership, stack)
    control = AgentControl(config, agent, tokens, lan, stop, notifier, network.wan)
    control.on_reload(lambda fresh: history.use(history_retention(fresh)))
    control.on_reload(network.configure)
    if place.member is not None:
        control.before_leave(place.member.leave)
        control.before_end(place.member.hand_over)
    context = _context(place, sessions, agent, tokens, control, events, network)
    lag = start_loop_lag(stack)
    others = other_agents(config, network, tokens.get)
    context = replace(context, acl=acl, loop_lag=lag, pool_counters=counters, agents=others, timeline=timeline)
    context = replace(context, parts_elsewhere=elsewhere)
    app = await front.serve(context, control, ServerForwarder(context, servers), stack)
    network.answer_with(_answering(place, PeerRequests(app, place.standing, servers, place.leader)))
    await snapshots.start(context, control, leadership, clock, stack)
    retry_join.start(config, lan, network.servers, stop, stack)
    return control


def _context(
    place: Place,
    sessions: SessionExpiry,
    agent: LocalAgent,
    tokens: AgentTokens,
    control: AgentControl,
    events: EventLog,
    network: Network,
) -> Context:
    """Return this server as its handlers see it."""
    storage = place.storage
    store, writer = storage.store, storage.writer
    return Context(
        store,
        store.watches,
        writer.commit,
        writer.commit_steps,
        writer.replace,
        sessions,
        agent,
        tokens,
        control,
        events,
        network.lan,
        LoginKeys(),
        standing=place.standing,
        wan=network.wan,
        cluster=place.cluster,
        kv_history=storage.engine.history,
    )


def _resolver(
    config: Config,
    place: Place,
    servers: ServerRequests,
    tokens: AgentTokens,
    clock: Callable[[], float],
    stack: AsyncExitStack,
) -> Resolver:
    has_none = lambda: not place.standing.has_state  # noqa: E731
    elsewhere = remote_resolver(config, servers, tokens.get, time.time, has_none)
    stack.push_async_callback(elsewhere.close)
    return access_control.resolver(config, place.storage.store, tokens, clock, elsewhere, place.standing)


def _start_clock(stack: AsyncExitStack) -> SteadyClock:
    clock = SteadyClock()
    clock.start(stack)
    return clock


def _answering(place: Place, requests: PeerRequests) -> Serve:
    """Return what answers the requests of other agents."""
    member = place.member

    def serve(request: Request, peer: Peer) -> Response | Awaitable[Response]:
        if member is not None and request.target.startswith(CLUSTER_PATH):
            return member.serve(request, peer)
        return requests.serve(request, peer)

    return serve


async def _start_local(
    config: Config,
    place: Place,
    remote: RemoteCatalog,
    acl: Resolver | None,
    local_watches: Watches,
    stack: AsyncExitStack,
) -> LocalAgent:
    """Start the local half of the agent; a restore makes it compare everything with the catalog."""
    permits = (access_control.permits(acl), access_control.permits(acl, READ)) if acl else (None, None)
    store, leadership = place.storage.store, place.leadership
    own = LocalCatalog(store, place.storage.writer.commit)
    catalog = ServerCatalog(own, remote, place.standing, lambda: leadership.leads)
    waits = place.standing.always_current
    agent = await local.start(config, catalog, store, local_watches, stack, *permits, waits=waits)
    on_replaced(store.watches, agent.syncer.schedule_full_sync)
    leadership.subscribe(agent.syncer.retry)  # what failed for lack of a leader
    return agent


async def _start_duties(
    config: Config,
    storage: Storage,
    clock: Callable[[], float],
    leadership: Leadership,
    stack: AsyncExitStack,
) -> tuple[SessionExpiry, HistoryRetention]:
    """Start what only the leader does; returns the duties that requests and reloads use."""
    store, commit = storage.store, storage.writer.commit
    sessions = SessionExpiry(store, commit)
    history = HistoryRetention(storage.engine, history_retention(config), clock)
    duties: list[Duty] = [sessions, StateUpkeep(store, storage.writer, clock), history]
    if config.acl.enabled:
        duties.append(ACLBootstrap(store, commit, config.acl.tokens.initial_management))
        duties.append(TokenExpiry(store, commit, clock))
    running = LeaderDuties(leadership, duties)
    stack.push_async_callback(running.stop)
    await running.start()
    return sessions, history
