"""/v1/operator/autopilot: management of server health (https://developer.hashicorp.com/consul/api-docs/operator/autopilot)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

import msgspec

from pyconsul.agent.common.go.durations import SECOND_NS, format_go_duration_ns
from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.codec.decoding import Convert, GoType, decode
from pyconsul.agent.httpapi.codec.go_values import ABSENT, nanoseconds
from pyconsul.agent.httpapi.core.authorization import authorized
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.rendering import plain_response
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import FALSE, TRUE, Response, bad_request
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.operator import server_address
from pyconsul.agent.model.autopilot import AutopilotSettings
from pyconsul.agent.model.wire import camel
from pyconsul.agent.state import autopilot
from pyconsul.agent.sync.node_registration import CONSUL_VERSION

DEFAULT = AutopilotSettings()
PREFIX = "Error parsing autopilot config: "
TERM = 2  # of the leader: the first election of a single server ends in it


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


def health(context: Context, request: Request) -> Response:
    """Return the health of the servers: this one, which is healthy."""
    server = {**_server(context), "SerfStatus": "alive", "Leader": True, "Voter": True}
    return plain_response(request, {"Healthy": True, "FailureTolerance": 0, "Servers": [server]})


def state(context: Context, request: Request) -> Response:
    """Return the state of the servers."""
    node_id = context.config.node_id
    server = {
        **_server(context), "NodeStatus": "alive", "Status": "leader", "ReadReplica": False, "NodeType": "voter",
        "Meta": dict(context.config.node_meta),
    }  # fmt: skip
    value = {
        "Healthy": True, "FailureTolerance": 0, "OptimisticFailureTolerance": 0, "Servers": {node_id: server},
        "Leader": node_id, "Voters": [node_id],
    }  # fmt: skip
    return plain_response(request, value)


def _server(context: Context) -> dict[str, Any]:
    return {
        "ID": context.config.node_id,
        "Name": context.config.node_name,
        "Address": server_address(context),
        "Version": CONSUL_VERSION,
        "LastContact": "0s",
        "LastTerm": TERM,
        "LastIndex": context.view.index,
        "Healthy": True,
        "StableSince": datetime.fromtimestamp(int(context.started), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


ROUTES = (
    Route(
        "/v1/operator/autopilot/configuration",
        {"GET": Read(show_configuration, "operator:read"), "PUT": Write(change, "operator:write")},
    ),
    Route("/v1/operator/autopilot/health", {"GET": Read(health, "operator:read")}),
    Route("/v1/operator/autopilot/state", {"GET": Read(state, "operator:read")}),
)
