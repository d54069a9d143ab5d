"""/v1/operator/autopilot: management of server health (https://developer.hashicorp.com/consul/api-docs/operator/autopilot)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

import msgspec

from pyconsul.agent.common.go.durations import SECOND_NS, format_go_duration_ns
from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.codec.decoding import Convert, GoType, decode
from pyconsul.agent.httpapi.codec.go_values import ABSENT, nanoseconds
from pyconsul.agent.httpapi.core.authorization import authorized
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.rendering import plain_response, shown
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import FALSE, TEXT, TRUE, Response, bad_request
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.servers import judged_servers
from pyconsul.agent.model.autopilot import AutopilotSettings, ClusterServer, failure_tolerance
from pyconsul.agent.model.wire import camel
from pyconsul.agent.state import autopilot
from pyconsul.agent.state.schemas import NODES

DEFAULT = AutopilotSettings()
PREFIX = "Error parsing autopilot config: "


def _readable(value: Any) -> Any:
    """Return the nanoseconds of a duration, or of a number of them; null is none."""
    if value is None:
        return 0
    if isinstance(value, float) or (duration := nanoseconds(value)) is ABSENT:
        raise ValueError(f"invalid duration: {value}")
    return duration


class SettingsInput(msgspec.Struct, kw_only=True, rename=camel):
    """The body of a change; missing settings get their defaults."""

    go_name: ClassVar[str] = "api.AutopilotConfiguration"
    cleanup_dead_servers: bool = DEFAULT.cleanup_dead_servers
    last_contact_threshold: Annotated[int, Convert(_readable)] = DEFAULT.last_contact_threshold
    max_trailing_logs: Annotated[int, GoType("uint64")] = DEFAULT.max_trailing_logs
    min_quorum: Annotated[int, GoType("uint")] = DEFAULT.min_quorum
    server_stabilization_time: Annotated[int, Convert(_readable)] = DEFAULT.server_stabilization_time
    redundancy_zone_tag: str = ""
    disable_upgrade_migration: bool = False
    upgrade_version_tag: str = ""
    create_index: Annotated[int, GoType("uint64")] = 0
    modify_index: Annotated[int, GoType("uint64")] = 0


def initial_settings(config: Config) -> AutopilotSettings:
    """Return the settings that hold until the first change over the API: those of the agent's configuration."""
    autopilot = config.autopilot
    return AutopilotSettings(
        cleanup_dead_servers=autopilot.cleanup_dead_servers,
        last_contact_threshold=round(autopilot.last_contact_threshold * SECOND_NS),
        max_trailing_logs=autopilot.max_trailing_logs,
        min_quorum=autopilot.min_quorum,
        server_stabilization_time=round(autopilot.server_stabilization_time * SECOND_NS),
    )


def show_configuration(context: Context, request: Request) -> Response:
    """Return the settings."""
    settings = msgspec.to_builtins(autopilot.current(context.view, initial_settings(context.config)))
    for name in ("LastContactThreshold", "ServerStabilizationTime"):
        settings[name] = format_go_duration_ns(settings[name])
    return plain_response(request, settings)


async def change(context: Context, request: Request) -> Response:
    """Change the settings; with `?cas` only if they are unchanged since that index."""
    given = decode(request.body, SettingsInput, PREFIX)
    refuse_control_characters(context, given)
    cas = _cas(request.params.get("cas", ""))
    settings = AutopilotSettings(**msgspec.structs.asdict(given))
    initial = initial_settings(context.config)
    write = authorized(request, "operator:write", lambda txn: autopilot.change(txn, settings, initial, cas))
    done = await context.commit(write)
    return TRUE if done else FALSE


def _cas(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise bad_request(f'Error parsing cas value: strconv.ParseUint: parsing "{text}": invalid syntax')
    if int(text) >= 1 << 64:
        raise bad_request(f'Error parsing cas value: strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


async def health(context: Context, request: Request) -> Response:
    """Return the health of the servers; the status is 429 if one of them is unhealthy."""
    found = await judged_servers(context, request)
    healthy = _all_healthy(found)
    shown_servers = [
        {
            **_server(server),
            "SerfStatus": server.serf_status,
            "Leader": server.is_leader,
            "Voter": server.is_voter,
        }
        for server in found
    ]
    value = {"Healthy": healthy, "FailureTolerance": failure_tolerance(found), "Servers": shown_servers}
    return plain_response(request, value) if healthy else Response(429, shown(request, value), TEXT)


async def state(context: Context, request: Request) -> Response:
    """Return the state of the servers, and what autopilot would do but does not (own addition)."""
    found = await judged_servers(context, request)
    tolerance = failure_tolerance(found)
    value = {
        "Healthy": _all_healthy(found),
        "FailureTolerance": tolerance,
        "OptimisticFailureTolerance": tolerance,
        "Servers": {server.node_id: _detailed(context, server) for server in found},
        "Leader": next((server.node_id for server in found if server.is_leader), ""),
        "Voters": [server.node_id for server in found if server.is_voter],
    }
    if context.cluster is not None and (proposals := context.cluster.proposals()):
        value["Proposals"] = list(proposals)
    return plain_response(request, value)


def _all_healthy(found: Sequence[ClusterServer]) -> bool:
    return bool(found) and all(server.is_healthy for server in found)


def _detailed(context: Context, server: ClusterServer) -> dict[str, Any]:
    node = context.view[NODES].get(server.name.lower())
    status = "leader" if server.is_leader else "voter" if server.is_voter else "non-voter"
    return {
        **_server(server),
        "NodeStatus": server.serf_status,
        "Status": status,
        "ReadReplica": False,
        "NodeType": "voter",
        "Meta": dict((node.meta if node else None) or {}),
    }


def _server(server: ClusterServer) -> dict[str, Any]:
    contact_ns = server.last_contact_ms * 1_000_000 if server.last_contact_ms >= 0 else -1
    return {
        "ID": server.node_id,
        "Name": server.name,
        "Address": server.address,
        "Version": server.build,
        "LastContact": format_go_duration_ns(contact_ns),
        "LastTerm": server.last_term,
        "LastIndex": server.last_index,
        "Healthy": server.is_healthy,
        "StableSince": datetime.fromtimestamp(int(server.stable_since), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


ROUTES = (
    Route(
        "/v1/operator/autopilot/configuration",
        {"GET": Read(show_configuration, "operator:read"), "PUT": Write(change, "operator:write")},
    ),
    Route("/v1/operator/autopilot/health", {"GET": Read(health, "operator:read")}),
    Route("/v1/operator/autopilot/state", {"GET": Read(state, "operator:read")}),
)
