"""Configurations of auth methods, decoded and checked as Consul does: keys in any case, weak types, unknown keys refused.

https://developer.hashicorp.com/consul/docs/security/acl/auth-methods
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec

from pyconsul.agent.common.go.durations import parse_go_duration_ns

MAX_DURATION_NS = (1 << 63) - 1


class ConfigError(ValueError):
    """A configuration that is refused; the text says what is allowed."""


class Nanoseconds(int):
    """Marks a field that holds nanoseconds, given as a number or as a text such as `1m`."""


class JWTConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a method of type `jwt`.  Leeways are in nanoseconds, 0: the default, below 0: none."""

    jwt_supported_algs: list[str] = msgspec.field(name="JWTSupportedAlgs", default_factory=list)
    bound_audiences: list[str] = msgspec.field(name="BoundAudiences", default_factory=list)
    claim_mappings: dict[str, str] = msgspec.field(name="ClaimMappings", default_factory=dict)
    list_claim_mappings: dict[str, str] = msgspec.field(name="ListClaimMappings", default_factory=dict)
    oidc_discovery_url: str = msgspec.field(name="OIDCDiscoveryURL", default="")
    oidc_discovery_ca_cert: str = msgspec.field(name="OIDCDiscoveryCACert", default="")
    jwks_url: str = msgspec.field(name="JWKSURL", default="")
    jwks_ca_cert: str = msgspec.field(name="JWKSCACert", default="")
    public_keys: list[str] = msgspec.field(name="JWTValidationPubKeys", default_factory=list)
    bound_issuer: str = msgspec.field(name="BoundIssuer", default="")
    expiration_leeway: Nanoseconds = msgspec.field(name="ExpirationLeeway", default=Nanoseconds(0))
    not_before_leeway: Nanoseconds = msgspec.field(name="NotBeforeLeeway", default=Nanoseconds(0))
    clock_skew_leeway: Nanoseconds = msgspec.field(name="ClockSkewLeeway", default=Nanoseconds(0))
    jwks: Any = msgspec.field(name="JWKS", default=None)  # a key set itself, as text or object; not in Consul


class KubernetesConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a method of type `kubernetes`."""

    host: str = msgspec.field(name="Host", default="")
    ca_cert: str = msgspec.field(name="CACert", default="")
    service_account_jwt: str = msgspec.field(name="ServiceAccountJWT", default="")


class IAMConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a method of type `aws-iam`."""

    principals: list[str] = msgspec.field(name="BoundIAMPrincipalARNs", default_factory=list)
    entity_details: Any = msgspec.field(name="EnableIAMEntityDetails", default=None)
    entity_tags: list[str] = msgspec.field(name="IAMEntityTags", default_factory=list)
    server_id: str = msgspec.field(name="ServerIDHeaderValue", default="")
    max_retries: Any = msgspec.field(name="MaxRetries", default=None)
    iam_endpoint: str = msgspec.field(name="IAMEndpoint", default="")
    sts_endpoint: str = msgspec.field(name="STSEndpoint", default="")
    sts_region: str = msgspec.field(name="STSRegion", default="")
    sts_headers: list[str] = msgspec.field(name="AllowedSTSHeaderValues", default_factory=list)


def read_jwt(given: Mapping[str, Any]) -> JWTConfig:
    """Return the configuration of a method of type `jwt`, its types checked.  Raises ConfigError."""
    return JWTConfig(**_values(given, JWTConfig))


def check_unsupported(kind: str, given: Mapping[str, Any]) -> None:
    """Raise ConfigError for a method of type `kubernetes` or `aws-iam`; Consul's own errors come first."""
    if kind == "kubernetes":
        config = KubernetesConfig(**_values(given, KubernetesConfig))
        for value, name in (
            (config.host, "Host"),
            (config.ca_cert, "CACert"),
            (config.service_account_jwt, "ServiceAccountJWT"),
        ):
            if not value:
                raise ConfigError(f"Config.{name} is required")
    elif not IAMConfig(**_values(given, IAMConfig)).principals:
        raise ConfigError("BoundIAMPrincipalARNs is required and must have at least 1 entry")
    raise ConfigError(f"type {kind} is not supported here; use jwt")


def _values(given: Mapping[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the attributes of a Struct from a map whose keys have any case; null leaves the default."""
    fields = {field.encode_name.lower(): field for field in msgspec.structs.fields(kind)}
    types = get_type_hints(kind)
    unknown = sorted(key for key in given if key.lower() not in fields)
    if unknown:
        raise _decoding(f"'' has invalid keys: {', '.join(unknown)}")
    found: dict[str, Any] = {}
    for key, value in given.items():
        field = fields[key.lower()]
        if value is not None:
            found[field.name] = _value(field.encode_name, value, types[field.name])
    return found


def _decoding(text: str) -> ConfigError:
    return ConfigError(f"error decoding config: 1 error(s) decoding:\n\n* {text}")


def _value(name: str, value: Any, kind: Any) -> Any:
    if kind is str:
        return _text(name, value)
    if kind is Nanoseconds:
        return _duration(name, value)
    if kind == list[str]:
        items = value if isinstance(value, list) else [value]
        return [_text(f"{name}[{number}]", item) for number, item in enumerate(items)]
    if kind == dict[str, str]:
        if not isinstance(value, dict):
            raise _decoding(f"'{name}' expected a map, got '{_kind(value)}'")
        return {key: _text(f"{name}[{key}]", item) for key, item in value.items()}
    return value


def _text(name: str, value: Any) -> str:
    """Return a text; numbers and booleans become text, as in Go's weakly typed decoder."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str | int | float):
        return str(value)
    raise _decoding(f"'{name}' expected type 'string', got unconvertible type '{_kind(value)}'")


def _duration(name: str, value: Any) -> Nanoseconds:
    return Nanoseconds(_nanoseconds(name, value))


def _nanoseconds(name: str, value: Any) -> int:
    if isinstance(value, str):
        try:
            return parse_go_duration_ns(value) if value else 0
        except ValueError:
            raise _decoding(f"error decoding '{name}': time: invalid duration \"{value}\"") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _decoding(f"'{name}' expected type 'time.Duration', got unconvertible type '{_kind(value)}'")
    if not abs(value) <= MAX_DURATION_NS:
        raise _decoding(f"'{name}' is out of range: a duration is at most {MAX_DURATION_NS} nanoseconds")
    return int(value)


def _kind(value: Any) -> str:
    """Return the type of a JSON value as Go calls it."""
    return {dict: "map[string]interface {}", list: "[]interface {}", bool: "bool", str: "string"}.get(
        type(value), "float64"
    )
