"""The numbers about an agent that `/v1/agent/self` shows as `Stats` and `pyconsul info` prints.

The sections and names are Consul's; those of `raft` describe etcd's cluster, as far as there is something to say.
Own addition: `sync`.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Mapping, Sequence

from pyconsul.agent.dnsd.views import PartHolder
from pyconsul.agent.gossip.consul.tags import server_of
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.handlers.servers import known_servers, leader_address, server_address
from pyconsul.agent.model.autopilot import ClusterServer
from pyconsul.agent.model.member import MemberStatus
from pyconsul.agent.sync.anti_entropy.syncer import MAX_DELAY_S
from pyconsul.agent.sync.node_registration import CONSUL_VERSION

PROTOCOL, SNAPSHOT = "3", "1"  # versions of Raft and of snapshots that clients of these numbers know


def stats(context: Context) -> dict[str, dict[str, str]]:
    """Return all sections; a client agent has none about the state of servers."""
    config, lan = context.config, dict(sorted(context.lan.stats().items()))
    found = {
        "agent": _agent(context),
        "build": {"prerelease": "", "revision": "pyconsul", "version": CONSUL_VERSION, "version_metadata": ""},
        "runtime": _runtime(),
        "serf_lan": lan,
        "sync": _sync(context),
    }
    acl = "enabled" if config.acl.enabled else "disabled"
    if not config.server:
        servers = sum(
            member.status is MemberStatus.ALIVE and server_of(member) is not None for member in context.lan.members()
        )
        if context.held_parts is not None:
            found["dns"] = _dns(context.held_parts)
        return {**found, "consul": {"acl": acl, "known_servers": str(servers), "server": "false"}}
    leader = leader_address(context)
    consul = {
        "acl": acl,
        "bootstrap": str(config.bootstrap).lower(),
        "known_datacenters": "1",
        "leader": str(bool(leader) and leader == server_address(context)).lower(),
        "leader_addr": leader,
        "server": "true",
    }
    return {
        **found,
        "consul": consul,
        "raft": _raft(context),
        "serf_wan": context.wan.stats() if context.wan else _serf_wan(context, lan),
    }


def _agent(context: Context) -> dict[str, str]:
    local = context.agent.local
    ttls = sum(1 for row in local.checks.values() if row.definition is not None and row.definition.ttl)
    return {
        "check_monitors": str(len(local.checks) - ttls),
        "check_ttls": str(ttls),
        "checks": str(len(local.checks)),
        "services": str(len(local.services)),
    }


def _runtime() -> dict[str, str]:
    cores = str(os.cpu_count() or 1)
    return {
        "arch": platform.machine(),
        "cpu_count": cores,
        "goroutines": str(len(asyncio.all_tasks())),
        "max_procs": cores,
        "os": platform.system().lower(),
        "version": f"python{platform.python_version()}",
    }


def _raft(context: Context) -> dict[str, str]:
    found, own = known_servers(context), context.config.node_id
    local = next((server for server in found if server.node_id == own), None)
    leads = local is not None and local.is_leader
    contact_ms = context.standing.last_contact_ms
    index = str(context.view.index)
    return {
        "applied_index": index,
        "commit_index": index,
        "fsm_pending": "0",
        "last_contact": "0" if leads else f"{contact_ms}ms",
        "last_log_index": index,
        "last_log_term": str(local.last_term if local else 0),
        "last_snapshot_index": "0",
        "last_snapshot_term": "0",
        "latest_configuration": _configuration(found),
        "latest_configuration_index": "0",
        "num_peers": str(max(0, len(found) - 1)),
        "protocol_version": PROTOCOL,
        "protocol_version_max": PROTOCOL,
        "protocol_version_min": PROTOCOL,
        "snapshot_version_max": SNAPSHOT,
        "snapshot_version_min": SNAPSHOT,
        "state": "Leader" if leads else "Follower" if context.standing.knows_leader else "Candidate",
        "term": str(local.last_term if local else 0),
    }


def _configuration(servers: Sequence[ClusterServer]) -> str:
    """Return the servers in Go's notation of them."""
    texts = [
        f"{{Suffrage:{'Voter' if server.is_voter else 'Nonvoter'} ID:{server.node_id} Address:{server.address}}}"
        for server in servers
    ]
    return f"[{' '.join(texts)}]"


def _serf_wan(context: Context, lan: Mapping[str, str]) -> dict[str, str]:
    """Return the figures of a WAN pool of the servers of this datacenter."""
    statuses = [member.status for member in context.lan.members() if server_of(member) is not None]
    counts = {
        "encrypted": lan.get("encrypted", "false"),
        "failed": str(statuses.count(MemberStatus.FAILED)),
        "left": str(statuses.count(MemberStatus.LEFT)),
        "members": str(len(statuses)),
    }
    return dict(sorted({**dict.fromkeys(lan, "0"), **counts}.items()))


def _sync(context: Context) -> dict[str, str]:
    """Return the status of anti-entropy."""
    status = context.agent.syncer.status()
    return {
        "behind_seconds": f"{status.behind_s:.1f}",
        "error": status.error,
        "failures": str(status.failures),
        "restarts": str(status.restarts),
        "state": "ok" if status.behind_s <= MAX_DELAY_S else "behind",
    }


def _dns(parts: PartHolder) -> dict[str, str]:
    """Return what a client agent holds of the catalog for DNS, and for how long no server has confirmed the oldest rows."""
    status = parts.status()
    return {
        "held_parts": str(status.parts),
        "held_rows": str(status.rows),
        "oldest_age_seconds": f"{status.oldest_age_s:.1f}",
    }
