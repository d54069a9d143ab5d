"""/v1/agent/self, members, version, host: an agent describes itself (https://developer.hashicorp.com/consul/api-docs/agent)."""

from __future__ import annotations

import logging
import os
import platform
import re
from typing import Any

import msgspec

from pyconsul.agent.acl.rules import READ
from pyconsul.agent.config.changes import secrets
from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Answer, json_answer
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.model.wire import camel
from pyconsul.agent.reads.visibility import visible
from pyconsul.agent.sync.anti_entropy.syncer import MAX_DELAY_S
from pyconsul.agent.sync.node_registration import CONSUL_VERSION, node_meta

ALIVE = 1  # a member's status
HIDDEN = "hidden"
USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/@\s]*@")

log = logging.getLogger("agent.http")


class SerfMember(msgspec.Struct, frozen=True, rename=camel):
    """One agent of the cluster, as gossip knows it."""

    name: str
    addr: str
    port: int
    tags: dict[str, str]
    status: int = ALIVE
    protocol_min: int = 1
    protocol_max: int = 5
    protocol_cur: int = 2
    delegate_min: int = 2
    delegate_max: int = 5
    delegate_cur: int = 4


def own_member(config: Config, wan: bool = False) -> SerfMember:
    """This agent, as the others of its datacenter see it, or those of other ones."""
    if wan:
        name = f"{config.node_name}.{config.datacenter}"
        return SerfMember(name, config.advertise_addr_wan, max(0, config.ports.serf_wan), _tags(config))
    return SerfMember(config.node_name, config.advertise_addr, max(0, config.ports.serf_lan), _tags(config))


def _tags(config: Config) -> dict[str, str]:
    tags = {
        "build": f"{CONSUL_VERSION}:pyconsul",
        "dc": config.datacenter,
        "id": config.node_id,
        "role": "consul" if config.server else "node",
        "segment": "",
        "vsn": "2",
        "vsn_max": "3",
        "vsn_min": "2",
    }
    if config.server:
        acls = {"acls": "1" if config.acl.enabled else "0", "bootstrap": "1", "ft_fs": "1", "ft_si": "1"}
        ports = {"port": str(config.ports.server), "wan_join_port": str(config.ports.serf_wan), "raft_vsn": "3"}
        tags |= acls | ports
    return dict(sorted(tags.items()))


def members(context: Context, request: Request) -> Answer:
    """Return the agents that are known; `?wan` asks for the servers of all datacenters."""
    select = filtering(request, SerfMember)
    caller = request.caller
    known = [own_member(context.config, bool(request.params.get("wan")))]
    rows, filtered = visible(caller, known, lambda _: caller.level("node", context.config.node_name) >= READ)
    return json_answer(select(rows), filtered=filtered)


def show_self(context: Context, request: Request) -> Answer:
    """Return the agent's settings, its own entry among the members, and numbers about it."""
    config = context.config
    return json_answer(
        {
            "Config": {
                "Datacenter": config.datacenter,
                "PrimaryDatacenter": config.primary_datacenter,
                "NodeName": config.node_name,
                "NodeID": config.node_id,
                "Revision": "pyconsul",
                "Server": config.server,
                "Version": CONSUL_VERSION,
                "BuildDate": "2025-01-01T00:00:00Z",
            },
            "DebugConfig": _debug_config(config),
            "Coord": {"Vec": [0.0] * 8, "Error": 1.5, "Adjustment": 0.0, "Height": 1e-05},
            "Member": own_member(config),
            "Stats": _stats(context),
            "Meta": node_meta(config),
        }
    )


def _debug_config(config: Config) -> dict[str, Any]:
    """Every setting without secrets: secret settings, headers and bodies of checks and watches, passwords in URLs."""
    hidden = set(secrets(config))

    def shown(value: Any, *, private: bool = False) -> Any:
        if isinstance(value, dict):
            return {
                camel(str(key)): shown(item, private=private or _is_private(str(key), item))
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [shown(item, private=private) for item in value]
        if not isinstance(value, str):
            return value
        return HIDDEN if value and (private or value in hidden) else USERINFO.sub(rf"\1{HIDDEN}@", value)

    plain = msgspec.to_builtins(config)
    for key in ("origin", "warnings"):
        plain.pop(key, None)
    made: dict[str, Any] = shown(plain)
    # Consul's own names, which clients read to join an agent.
    made["SerfAdvertiseAddrLAN"] = f"tcp://{config.advertise_addr}:{max(0, config.ports.serf_lan)}"
    made["SerfAdvertiseAddrWAN"] = f"tcp://{config.advertise_addr_wan}:{max(0, config.ports.serf_wan)}"
    return made


def _is_private(key: str, value: Any) -> bool:
    return key.lower() in ("header", "headers") or (isinstance(value, str) and key.lower() in ("body", "token"))


def _stats(context: Context) -> dict[str, dict[str, str]]:
    config, local = context.config, context.agent.local
    ttls = sum(1 for row in local.checks.values() if row.definition is not None and row.definition.ttl)
    server = f"{config.advertise_addr}:{config.ports.server}"
    index = str(context.view.index_of("nodes", "services", "checks", "kvs", "sessions"))
    return {
        "agent": {
            "check_monitors": str(len(local.checks) - ttls),
            "check_ttls": str(ttls),
            "checks": str(len(local.checks)),
            "services": str(len(local.services)),
        },
        "build": {"prerelease": "", "revision": "pyconsul", "version": CONSUL_VERSION, "version_metadata": ""},
        "consul": {
            "acl": "enabled" if config.acl.enabled else "disabled",
            "bootstrap": "true",
            "known_datacenters": "1",
            "leader": "true",
            "leader_addr": server,
            "server": str(config.server).lower(),
        },
        "raft": {
            "applied_index": index,
            "commit_index": index,
            "last_log_index": index,
            "num_peers": "0",
            "state": "Leader",
        },
        "runtime": {
            "arch": platform.machine(),
            "cpu_count": str(os.cpu_count() or 1),
            "max_procs": str(os.cpu_count() or 1),
            "os": platform.system().lower(),
            "version": f"python{platform.python_version()}",
        },
        "serf_lan": _gossip_stats(config),
        "serf_wan": _gossip_stats(config),
        "sync": _sync_stats(context),
    }


def _sync_stats(context: Context) -> dict[str, str]:
    """Return the status of anti-entropy."""
    status = context.agent.syncer.status()
    return {
        "behind_seconds": f"{status.behind_s:.1f}",
        "error": status.error,
        "failures": str(status.failures),
        "restarts": str(status.restarts),
        "state": "ok" if status.behind_s <= MAX_DELAY_S else "behind",
    }


def _gossip_stats(config: Config) -> dict[str, str]:
    return {"encrypted": str(bool(config.encrypt)).lower(), "failed": "0", "left": "0", "members": "1"}


def version(context: Context, request: Request) -> Answer:
    """Which Consul this behaves like."""
    return json_answer(
        {"SHA": "pyconsul", "BuildDate": "2025-01-01T00:00:00Z", "HumanVersion": CONSUL_VERSION, "FIPS": ""}
    )


ROUTES = (
    Route("/v1/agent/self", {"GET": Local(show_self, "agent:read")}),
    Route("/v1/agent/members", {"GET": Local(members, "filter node")}),
    Route("/v1/agent/version", {"GET": Local(version, "open")}),
)
