"""The bodies that agents are sent: a service's registration, a check's update, a token."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from pyconsul.agent.health.decode import decode_service_check
from pyconsul.agent.health.definition import CheckError
from pyconsul.agent.httpapi.codec.decoding import MAX_OBJECTS
from pyconsul.agent.httpapi.codec.go_values import DecodeError, json_kind
from pyconsul.agent.httpapi.handlers.catalog.registration import AddressInput, WeightsInput, mesh_refusal
from pyconsul.agent.model.service import Locality, ServiceAddress, Weights
from pyconsul.agent.model.wire import camel
from pyconsul.agent.sync.definition import ServiceDefinition, node_service


class ServiceBody(msgspec.Struct, rename=camel):
    """A service as it is registered; what belongs to the mesh or to other editions is taken and ignored."""

    go_name: ClassVar[str] = "structs.ServiceDefinition"
    go_embedded: ClassVar[str] = "Alias"
    aliases: ClassVar[dict[str, str | None]] = {
        "enable_tag_override": "enable_tag_override",
        "tagged_addresses": "tagged_addresses",
    }
    id: str = ""
    name: str = ""
    tags: list[str] = []
    address: str = ""
    tagged_addresses: dict[str, AddressInput] = {}
    socket_path: str = ""
    meta: dict[str, str] | None = None
    port: int = 0
    check: Any = None
    checks: Any = None
    weights: WeightsInput | None = None
    token: str = ""
    enable_tag_override: bool = False
    kind: str = ""
    proxy: dict[str, Any] | None = None
    connect: dict[str, Any] | None = None
    locality: Locality | None = None


class CheckUpdate(msgspec.Struct, rename=camel):
    """A report on a TTL check."""

    go_name: ClassVar[str] = "agent.checkUpdate"
    status: str = ""
    output: str = ""


class TokenBody(msgspec.Struct, rename=camel):
    """A token that the agent is to use."""

    go_name: ClassVar[str] = "api.AgentToken"
    token: str = ""


def service_definition(body: ServiceBody, token: str) -> ServiceDefinition:
    """Return the definition of a registration; `token` is the caller's, used when the body names none.  Raises DecodeError."""
    if refusal := mesh_refusal(body.kind, body.connect):
        raise DecodeError(refusal)
    weights = body.weights
    service = node_service(
        body.name,
        id=body.id,
        tags=body.tags,
        address=body.address,
        port=body.port,
        meta=body.meta,
        weights=Weights(weights.passing, weights.warning) if weights else None,
        enable_tag_override=body.enable_tag_override,
        tagged_addresses={tag: ServiceAddress(one.address, one.port) for tag, one in body.tagged_addresses.items()},
        socket_path=body.socket_path,
        locality=body.locality,
    )
    objects = [] if body.check is None else [(body.check, "Check")]
    objects += [(one, "Checks") for one in _list_of_checks(body.checks)]
    checks = []
    for value, key in objects:
        if not isinstance(value, dict):
            what = json_kind(value)
            raise DecodeError(
                f"json: cannot unmarshal {what} into Go struct field .Alias.{key} of type structs.CheckType"
            )
        try:
            check = decode_service_check(value)
        except CheckError as error:
            raise DecodeError(error.text.replace("struct field .", f"struct field .Alias.{key}.")) from None
        if key == "Checks" or check != _NO_CHECK:
            checks.append(check)
    return ServiceDefinition(service, checks, body.token or token)


_NO_CHECK = decode_service_check({})


def _list_of_checks(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise DecodeError(
            f"json: cannot unmarshal {json_kind(value)} into Go struct field .Alias.Checks of type structs.CheckTypes"
        )
    if len(value) > MAX_OBJECTS:
        raise DecodeError(f"json: {len(value)} elements in Checks; at most {MAX_OBJECTS} are allowed")
    return [one for one in value if one is not None]
