"""The definition of a check (https://developer.hashicorp.com/consul/api-docs/agent/check#register-check)."""

from __future__ import annotations

import msgspec

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.model.wire import camel

DEFAULT_OUTPUT_SIZE = 4096  # bytes of a check's output that are kept
MIN_INTERVAL = SECOND_NS  # a shorter interval is taken as this, lest scripts fork without end
SPELLINGS = {
    "tls_server_name": "TLSServerName", "tcp_use_tls": "TCPUseTLS", "grpc_use_tls": "GRPCUseTLS",
    "h2ping_use_tls": "H2PingUseTLS", "os_service": "OSService", "docker_container_id": "DockerContainerID",
}  # fmt: skip


def wire_name(field: str) -> str:
    """Return the JSON key of a definition's field."""
    return SPELLINGS.get(field) or camel(field)


class CheckDefinition(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name, omit_defaults=True):
    """One check: target and schedule.  Durations are nanoseconds (0: not given); for an empty `id` the agent generates one.

    `service_id` names the instance that the check belongs to, empty for the node itself.
    """

    id: str = ""
    name: str = ""
    notes: str = ""
    service_id: str = ""
    token: str = ""
    status: str = ""
    script_args: list[str] = []
    http: str = ""
    header: dict[str, list[str]] = {}
    method: str = ""
    body: str = ""
    disable_redirects: bool = False
    tls_server_name: str = ""
    tls_skip_verify: bool = False
    tcp: str = ""
    tcp_use_tls: bool = False
    udp: str = ""
    docker_container_id: str = ""
    shell: str = ""
    grpc: str = ""
    grpc_use_tls: bool = False
    h2ping: str = ""
    h2ping_use_tls: bool = False
    alias_node: str = ""
    alias_service: str = ""
    os_service: str = ""
    ttl: int = 0
    interval: int = 0
    timeout: int = 0
    success_before_passing: int = 0
    failures_before_warning: int = 0
    failures_before_critical: int = 0
    deregister_critical_service_after: int = 0
    output_max_size: int = 0


def check_type(definition: CheckDefinition) -> str:
    """Return the type of the check: `http`, `ttl`, …; empty for none."""
    polled = definition.interval > 0
    if definition.grpc and polled:
        return "grpc"
    if definition.http and polled:
        return "http"
    if definition.ttl > 0:
        return "ttl"
    if definition.tcp and polled:
        return "tcp"
    if definition.udp and polled:
        return "udp"
    if is_alias(definition):
        return "alias"
    return _late_type(definition, polled)


def _late_type(definition: CheckDefinition, polled: bool) -> str:
    if definition.script_args:
        return "docker" if definition.docker_container_id and polled else "script"
    if definition.h2ping and polled:
        return "h2ping"
    return "os_service" if definition.os_service and polled else ""


def is_alias(definition: CheckDefinition) -> bool:
    """Return whether the check follows the health of another service or node."""
    return bool(definition.alias_node or definition.alias_service)


def output_limit(definition: CheckDefinition, agent_limit: int = DEFAULT_OUTPUT_SIZE) -> int:
    """Return the maximum size of the output in bytes; a definition can only lower the agent's `check_output_max_size`."""
    limit = agent_limit or DEFAULT_OUTPUT_SIZE
    return min(limit, definition.output_max_size) if definition.output_max_size > 0 else limit


def seconds_between(definition: CheckDefinition) -> float:
    """Return the time from the end of one run to the start of the next, never below a second."""
    return max(definition.interval, MIN_INTERVAL) / SECOND_NS


def seconds_allowed(definition: CheckDefinition, default: float = 10.0) -> float:
    """Return the timeout of one run in seconds."""
    return definition.timeout / SECOND_NS if definition.timeout > 0 else default


class CheckError(ValueError):
    """A check definition that is refused; `text` says what was wrong, as Consul says it."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
