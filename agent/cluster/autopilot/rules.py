"""The rules of autopilot: which servers are healthy, and which are removed.  Pure.

| server | healthy | removed |
| --- | --- | --- |
| alive, heard of lately, in the leader's term, close behind its index | yes | no |
| alive otherwise | no | no |
| left the gossip pool | no | at once |
| failed | no | after a grace period, if `cleanup_dead_servers` is on and rules 1 and 2 permit it |

  1. Failed voters are removed only while they are fewer than half of all voters.
  2. At least `min_quorum` voters stay, and never fewer than a majority of the voters that the cluster has had.
  3. The leader is never removed.

`server_stabilization_time` is the time for which a failed server is kept.  A new one gets its vote after the same time; see
`joining.host`.

Source: https://developer.hashicorp.com/consul/docs/manage/scale/autopilot; rule 2's majority and the grace period are own choices:
Consul lets a cluster of five shrink to two, and removes a server that restarts slowly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.model.autopilot import AutopilotSettings, ClusterServer

GRACE_S = 8.0  # for which a server must have failed at least before it is removed; it may be starting again
MS_PER_S = 1000


class Plan(msgspec.Struct, frozen=True):
    """The servers to remove, in order.  proposals: sentences about those that are kept although they failed."""

    removals: tuple[ClusterServer, ...] = ()
    proposals: tuple[str, ...] = ()


class HealthRecord:
    """Remembers since when each server has its health."""

    def __init__(self) -> None:
        self._states: dict[str, tuple[bool, str, float]] = {}  # node ID -> healthy, status, since (Unix seconds)

    def rate(self, servers: Sequence[ClusterServer], settings: AutopilotSettings, now: float) -> list[ClusterServer]:
        """Return the servers with their health as of now."""
        leader = next((server for server in servers if server.is_leader), None)
        self._states = {
            server.node_id: self._state(server, is_healthy(server, leader, settings), now) for server in servers
        }
        return self.shown(servers)

    def shown(self, servers: Sequence[ClusterServer]) -> list[ClusterServer]:
        """Return the servers with their last health; one that was never rated is not healthy."""
        return [self._rated(server) for server in servers]

    def _state(self, server: ClusterServer, healthy: bool, now: float) -> tuple[bool, str, float]:
        old = self._states.get(server.node_id)
        if old is not None and old[:2] == (healthy, server.serf_status):
            return old
        return healthy, server.serf_status, now

    def _rated(self, server: ClusterServer) -> ClusterServer:
        healthy, _, since = self._states.get(server.node_id, (False, "", 0.0))
        return replace(server, is_healthy=healthy, stable_since=since)


def is_healthy(server: ClusterServer, leader: ClusterServer | None, settings: AutopilotSettings) -> bool:
    """Return whether a server is alive and keeps up with the leader."""
    if server.serf_status != "alive" or leader is None:
        return False
    if server.is_leader:
        return True
    contact_ms = server.last_contact_ms
    if not 0 <= contact_ms <= settings.last_contact_threshold * MS_PER_S / SECOND_NS:
        return False
    if server.last_term and leader.last_term and server.last_term != leader.last_term:
        return False
    return not server.last_index or leader.last_index - server.last_index <= settings.max_trailing_logs


def plan(servers: Sequence[ClusterServer], settings: AutopilotSettings, now: float, most_voters: int = 0) -> Plan:
    """Return what to do with rated servers.  most_voters: the largest number of voters that the cluster has had."""
    others = [server for server in servers if not server.is_leader]
    left = [server for server in others if server.serf_status == "left"]
    failed = [server for server in others if _is_dead(server, settings, now)]
    if not settings.cleanup_dead_servers:
        return Plan(tuple(left), tuple(f"{_described(server, now)}: cleanup_dead_servers is off" for server in failed))
    without_vote = [server for server in failed if not server.is_voter]
    dead = [server for server in failed if server.is_voter]
    voters = sum(server.is_voter for server in servers if server not in left)
    if 2 * len(dead) >= voters:
        reason = f"{len(dead)} of {voters} voting servers failed, and a majority must stay"
        return Plan((*left, *without_vote), _kept(dead, reason, now))
    minimum = max(settings.min_quorum, most_voters // 2 + 1)
    spare = max(0, voters - minimum)
    reason = f"at least {minimum} voting servers must stay"
    return Plan((*left, *without_vote, *dead[:spare]), _kept(dead[spare:], reason, now))


def _is_dead(server: ClusterServer, settings: AutopilotSettings, now: float) -> bool:
    grace_s = max(GRACE_S, settings.server_stabilization_time / SECOND_NS)
    return server.serf_status == "failed" and now - server.stable_since >= grace_s


def _kept(servers: Iterable[ClusterServer], reason: str, now: float) -> tuple[str, ...]:
    return tuple(f"{_described(server, now)}: {reason}" for server in servers)


def _described(server: ClusterServer, now: float) -> str:
    return f"{server.name} ({server.node_id}) failed {now - server.stable_since:.0f} s ago and is kept"
