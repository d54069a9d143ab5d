"""The settings of autopilot and what it knows of the servers (https://developer.hashicorp.com/consul/api-docs/operator/autopilot)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.model.wire import camel


class AutopilotSettings(msgspec.Struct, frozen=True, kw_only=True, rename=camel):
    """How servers are looked after; durations are in nanoseconds."""

    cleanup_dead_servers: bool = True
    last_contact_threshold: int = SECOND_NS // 5
    max_trailing_logs: int = 250
    min_quorum: int = 0
    server_stabilization_time: int = 10 * SECOND_NS
    redundancy_zone_tag: str = ""
    disable_upgrade_migration: bool = False
    upgrade_version_tag: str = ""
    create_index: int = 0
    modify_index: int = 0


class ClusterServer(msgspec.Struct, frozen=True, kw_only=True):
    """One server.

    address: "10.0.0.1:8300", "" if it is not known.  serf_status: "alive", "left" or "failed".
    last_index: index of the last commit that it has; 0: unknown.  last_contact_ms: since the leader last heard of it; -1: never.
    stable_since: Unix seconds since which it is healthy, or is not.
    """

    node_id: str
    name: str
    address: str
    is_leader: bool
    is_voter: bool
    is_healthy: bool = True
    serf_status: str = "alive"
    last_index: int = 0
    last_term: int = 0
    last_contact_ms: int = 0
    stable_since: float = 0.0
    build: str = ""


def failure_tolerance(servers: Iterable[ClusterServer]) -> int:
    """Return how many more voters may fail until the cluster has no quorum."""
    voters = [server for server in servers if server.is_voter]
    return max(0, sum(server.is_healthy for server in voters) - len(voters) // 2 - 1)


class Survivor(msgspec.Struct, frozen=True, kw_only=True, rename=camel):
    """The part of a cluster's data that a server still has, after the quorum was lost.

    last_index, last_time: of the last commit that it has (Unix seconds); error: why that is not known, or "".
    """

    node_id: str
    name: str
    last_index: int = 0
    last_time: float = 0.0
    error: str = ""
