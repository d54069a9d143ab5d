"""The `Definition` of a check that is registered in the catalog: how an external monitor runs it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from pyconsul.agent.common.go.durations import format_go_duration_ns
from pyconsul.agent.health.definition import CheckDefinition, check_type, wire_name
from pyconsul.agent.httpapi.codec.decoding import Convert
from pyconsul.agent.httpapi.codec.go_values import nanoseconds

Nanoseconds = Annotated[int, Convert(nanoseconds)]
_AS_TEXT = (
    "interval",
    "timeout",
    "deregister_critical_service_after",
)  # a TTL stays a number of nanoseconds, as in Consul


class DefinitionBody(msgspec.Struct, kw_only=True, rename=wire_name):
    """A definition as it is sent, its fields in the order of responses; durations are in nanoseconds, unknown keys are dropped."""

    go_name: ClassVar[str] = "structs.HealthCheckDefinition"
    lenient: ClassVar[bool] = True
    interval: Nanoseconds = 0
    output_max_size: int = 0
    timeout: Nanoseconds = 0
    deregister_critical_service_after: Nanoseconds = 0
    http: str = ""
    tls_server_name: str = ""
    tls_skip_verify: bool = False
    header: dict[str, list[str]] = {}
    method: str = ""
    body: str = ""
    disable_redirects: bool = False
    tcp: str = ""
    tcp_use_tls: bool = False
    udp: str = ""
    h2ping: str = ""
    os_service: str = ""
    h2ping_use_tls: bool = False
    script_args: list[str] = []
    docker_container_id: str = ""
    shell: str = ""
    grpc: str = ""
    grpc_use_tls: bool = False
    alias_node: str = ""
    alias_service: str = ""
    ttl: Nanoseconds = 0


def definition_row(body: DefinitionBody) -> dict[str, Any]:
    """Return the definition as the catalog keeps and shows it: without what says nothing, durations as Go writes them."""
    row = {}
    for field in msgspec.structs.fields(DefinitionBody):
        value = getattr(body, field.name)
        if value:
            row[field.encode_name] = format_go_duration_ns(value) if field.name in _AS_TEXT else value
    return row


def type_of(body: DefinitionBody) -> str:
    """Return the type of check that a definition describes: `http`, `tcp`, …; empty when it describes none."""
    return check_type(CheckDefinition(**msgspec.structs.asdict(body)))
