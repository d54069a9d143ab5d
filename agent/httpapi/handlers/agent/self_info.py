"""/v1/agent/self and version: an agent describes itself (https://developer.hashicorp.com/consul/api-docs/agent)."""

from __future__ import annotations

import logging
import re
from typing import Any

import msgspec

from pyconsul.agent.config.changes import secrets
from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response, json_response
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.httpapi.handlers.agent.stats import stats
from pyconsul.agent.model.wire import camel
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
            "Stats": stats(context),
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


def version(context: Context, request: Request) -> Response:
    """Which Consul this behaves like."""
    return json_response(
        {"SHA": "pyconsul", "BuildDate": "2025-01-01T00:00:00Z", "HumanVersion": CONSUL_VERSION, "FIPS": ""}
    )


ROUTES = (
    Route("/v1/agent/self", {"GET": Local(show_self, "agent:read")}),
    Route("/v1/agent/version", {"GET": Local(version, "open")}),
)
