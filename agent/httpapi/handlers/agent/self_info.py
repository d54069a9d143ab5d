"""/v1/agent/self and version: an agent describes itself (https://developer.hashicorp.com/consul/api-docs/agent)."""

from __future__ import annotations

import logging
import os
import platform
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pyconsul.agent.config.changes import secrets
from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response, json_response
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.model.wire import camel
from pyconsul.agent.sync.anti_entropy.syncer import MAX_DELAY_S
from pyconsul.agent.sync.node_registration import CONSUL_VERSION, node_meta

HIDDEN = "hidden"
USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/@\s]*@")

log = logging.getLogger("agent.http")


def show_self(context: Context, request: Request) -> Response:
    """Return the agent's settings, its own entry among the members, and numbers about it."""
    config = context.config
    return json_response(
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
            "Coord": context.lan.coordinate,
            "Member": context.lan.local,
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
    lan = context.lan.stats()
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
            "bootstrap": str(not config.dev_mode).lower(),
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
        "serf_lan": dict(sorted(lan.items())),
        "serf_wan": dict(sorted(_wan_stats(lan).items())),
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


def _wan_stats(lan: Mapping[str, str]) -> dict[str, str]:
    """Return the figures of a WAN pool of this server alone."""
    return {**dict.fromkeys(lan, "0"), "encrypted": lan.get("encrypted", "false"), "members": "1"}


def version(context: Context, request: Request) -> Response:
    """Which Consul this behaves like."""
    return json_response(
        {"SHA": "pyconsul", "BuildDate": "2025-01-01T00:00:00Z", "HumanVersion": CONSUL_VERSION, "FIPS": ""}
    )


ROUTES = (
    Route("/v1/agent/self", {"GET": Local(show_self, "agent:read")}),
    Route("/v1/agent/version", {"GET": Local(version, "open")}),
)
