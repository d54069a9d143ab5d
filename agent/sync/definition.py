"""The definition of a service from the API or from a file: defaults, checks, and validation.

https://developer.hashicorp.com/consul/docs/services/configuration/services-configuration-reference
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pyconsul.agent.health.decode import decode_config_check
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.health.validate import validate as validate_check
from pyconsul.agent.model.control_characters import fault_of_service
from pyconsul.agent.model.service import Locality, NodeService, ServiceAddress, Weights
from pyconsul.agent.sync.node_registration import ip_kind

ANY_ADDRESS = ("0.0.0.0", "::", "[::]")
MAX_WEIGHT = 65535  # of an SRV record
META_PAIRS, META_KEY, META_VALUE = 64, 128, 512  # how many pairs, and the characters of their parts
_META_KEY = re.compile(r"[a-zA-Z0-9_-]+")
_DNS_LABEL = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,61}[a-zA-Z0-9]|[a-zA-Z0-9]")  # RFC 1123, section 2.1


class DefinitionError(ValueError):
    """A definition that is refused; the text says what was wrong, as Consul says it."""


class ServiceDefinition(msgspec.Struct, frozen=True):
    """A service with its checks; `token` is what it is registered in the catalog with."""

    service: NodeService
    checks: list[CheckDefinition] = []
    token: str = ""


def node_service(
    name: str,
    *,
    id: str = "",
    tags: list[str] | None = None,
    address: str = "",
    port: int = 0,
    meta: dict[str, str] | None = None,
    weights: Weights | None = None,
    enable_tag_override: bool = False,
    tagged_addresses: dict[str, ServiceAddress] | None = None,
    socket_path: str = "",
    locality: Locality | None = None,
) -> NodeService:
    """Return the row of a service, every default filled in."""
    return NodeService(
        id=id or name,
        service=name,
        tags=tags or [],
        address=address,
        meta=meta,
        weights=weights or Weights(),
        enable_tag_override=enable_tag_override,
        create_index=0,
        modify_index=0,
        tagged_addresses=_tagged_addresses(address, port, tagged_addresses) or None,
        port=port,
        socket_path=socket_path,
        locality=locality,
    )


def _tagged_addresses(address: str, port: int, given: Mapping[str, ServiceAddress] | None) -> dict[str, ServiceAddress]:
    """Add the addresses by IP version for both networks, unless they are given."""
    kind = ip_kind(address)
    own = {f"{network}_{kind}": ServiceAddress(address, port) for network in ("lan", "wan")} if kind else {}
    return dict(sorted({**own, **(given or {})}.items()))


def validate(
    definition: ServiceDefinition,
    enable_script_checks: bool,
    *,
    from_file: bool = False,
    allow_control_characters: bool = False,
) -> None:
    """Raise DefinitionError, or the checks' CheckError, when the agent must refuse the service."""
    service = definition.service
    if not service.service:
        raise DefinitionError("Missing service name")
    if service.address in ANY_ADDRESS:
        raise DefinitionError("Invalid service address")
    if fault := weights_fault(service.weights):
        raise DefinitionError(f"Invalid Weights: {fault}")
    if fault := _meta_fault(service.meta or {}):
        raise DefinitionError(f"Invalid Service Meta: {fault}")
    if service.port and service.socket_path:
        raise DefinitionError("Validation failed: Cannot specify both a Port and a SocketPath")
    if not allow_control_characters and (fault := fault_of_service(service)):
        raise DefinitionError(fault)
    for check in definition.checks:
        validate_check(
            check,
            enable_script_checks,
            of_service=True,
            from_file=from_file,
            allow_control_characters=allow_control_characters,
        )


def weights_fault(weights: Weights) -> str:
    """Return the problem of weights that do not fit into an SRV record; empty for none."""
    if weights.passing < 1:
        return "Passing must be greater than 0"
    if weights.warning < 0:
        return "Warning must be greater or equal than 0"
    if max(weights.passing, weights.warning) > MAX_WEIGHT:
        return "DNS Weight must be between 0 and 65535"
    return ""


def _meta_fault(meta: Mapping[str, str]) -> str:
    if len(meta) > META_PAIRS:
        return f"Node metadata cannot contain more than {META_PAIRS} key/value pairs"
    for key, value in meta.items():
        if fault := _meta_pair_fault(key, value):
            return f"Couldn't load metadata pair ('{key}', '{value}'): {fault}"
    return ""


def _meta_pair_fault(key: str, value: str) -> str:
    if not key:
        return "Key cannot be blank"
    if not _META_KEY.fullmatch(key):
        return "Key contains invalid characters"
    if len(key) > META_KEY:
        return f"Key is too long (limit: {META_KEY} characters)"
    if key.lower().startswith("consul-"):
        return "Key prefix 'consul-' is reserved for internal use"
    return f"Value is too long (limit: {META_VALUE} characters)" if len(value) > META_VALUE else ""


def dns_warnings(service: NodeService) -> list[str]:
    """Return why DNS will not find a service, or not by all its tags; a name may still be right over HTTP."""
    found = []
    if not _DNS_LABEL.fullmatch(service.service):
        found.append(f"service {service.service!r} cannot be found over DNS: its name is no DNS label")
    for tag in service.tags:
        if not _DNS_LABEL.fullmatch(tag):
            found.append(f"service {service.service!r} cannot be found over DNS by its tag {tag!r}: it is no DNS label")
    return found


def service_from_config(body: Mapping[str, Any], source: str) -> ServiceDefinition:
    """Return a service of a configuration file, whose keys and types are checked; `source` is the file."""
    weights = body.get("weights")
    addresses = body.get("tagged_addresses") or {}
    service = node_service(
        body.get("name", ""),
        id=body.get("id", ""),
        tags=list(body.get("tags") or ()),
        address=body.get("address", ""),
        port=body.get("port", 0),
        meta=dict(body["meta"]) if body.get("meta") else None,
        weights=Weights(weights.get("passing", 0), weights.get("warning", 0)) if weights else None,
        enable_tag_override=body.get("enable_tag_override", False),
        tagged_addresses={
            tag: ServiceAddress(address.get("address", ""), address.get("port", 0))
            for tag, address in addresses.items()
        },
        socket_path=body.get("socket_path", ""),
    )
    checks = [check_from_config(check, source) for check in body.get("checks") or ()]
    return ServiceDefinition(service, checks, body.get("token", ""))


def check_from_config(body: Mapping[str, Any], source: str) -> CheckDefinition:
    """Return a check of a configuration file.  Raises CheckError."""
    plain = {key: _plain(value) for key, value in body.items() if key not in ("namespace", "partition")}
    return decode_config_check(plain, f"{source}: check")


def _plain(value: Any) -> Any:
    """Lists are lists again: settings keep them as tuples."""
    if isinstance(value, tuple):
        return list(value)
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value
