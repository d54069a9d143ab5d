"""Auth methods of type `jwt`: who a JSON Web Token speaks of (RFC 7519; checking signatures is PyJWT's).

https://developer.hashicorp.com/consul/docs/security/acl/auth-methods/jwt
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

ASYMMETRIC = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")
# Where keys come from; `JWKS`, a key set itself, is not Consul's.
SOURCES = ("JWTValidationPubKeys", "JWKSURL", "OIDCDiscoveryURL", "JWKS")
SKEW = 60.0  # seconds that clocks may differ, unless the method says otherwise
_NANO = 1_000_000_000


class ConfigError(ValueError):
    """A configuration that cannot be; the text says what is allowed."""


class LoginError(Exception):
    """A token that is not believed; the text says why."""


class Claims(msgspec.Struct, frozen=True):
    """What a method's mappings make of a token's claims; binding rules select by it."""

    value: dict[str, str] = {}
    lists: dict[str, list[str]] = msgspec.field(name="list", default_factory=dict)


def _lists(config: Mapping[str, Any], name: str) -> list[str]:
    value = config.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{name} must be a list of texts")
    return value


def _mapping(config: Mapping[str, Any], name: str) -> dict[str, str]:
    value = config.get(name) or {}
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise ConfigError(f"{name} must be an object of texts")
    return value


def check_config(config: Mapping[str, Any]) -> None:
    """Raises ConfigError unless the configuration names one source of keys, and keys that can be read."""
    sources = [name for name in SOURCES if config.get(name)]
    if len(sources) != 1:
        raise ConfigError("exactly one of 'JWTValidationPubKeys', 'JWKSURL', or 'OIDCDiscoveryURL' must be set")
    url = str(config.get("JWKSURL") or config.get("OIDCDiscoveryURL") or "https://")
    if not url.startswith(("https://", "http://", "file:///")):
        raise ConfigError(f"invalid {sources[0]}: {url!r}; allowed: https://…, http://…, file:///…")
    if config.get("JWKS"):
        keys_of_set(config)
    for algorithm in _lists(config, "JWTSupportedAlgs"):
        if algorithm not in ASYMMETRIC:
            raise ConfigError(f"invalid JWTSupportedAlgs: {algorithm!r}; allowed: {', '.join(ASYMMETRIC)}")
    _lists(config, "BoundAudiences")
    names = [*_mapping(config, "ClaimMappings").values(), *_mapping(config, "ListClaimMappings").values()]
    if len(names) != len(set(names)):
        raise ConfigError("ClaimMappings and ListClaimMappings must not map to the same name twice")
    keys_of_pem(config)


def keys_of_pem(config: Mapping[str, Any]) -> list[Any]:
    """The public keys in `JWTValidationPubKeys`.  Raises ConfigError."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    keys: list[Any] = []
    for number, text in enumerate(_lists(config, "JWTValidationPubKeys")):
        try:
            keys.append(load_pem_public_key(text.encode()))
        except (ValueError, TypeError) as error:
            raise ConfigError(f"JWTValidationPubKeys[{number}] is no public key in PEM form: {error}") from None
    return keys


def keys_of_set(config: Mapping[str, Any]) -> list[Any]:
    """The public keys of the set in `JWKS`, which is a text or an object.  Raises ConfigError."""
    given = config["JWKS"]
    try:
        return keys_of_jwks(given if isinstance(given, str) else json.dumps(given))
    except LoginError as error:
        raise ConfigError(f"JWKS: {error}") from None


def keys_of_jwks(text: str) -> list[Any]:
    """The public keys of a JSON Web Key Set (RFC 7517).  Raises LoginError."""
    import jwt

    try:
        return [one.key for one in jwt.PyJWKSet.from_dict(json.loads(text)).keys]
    except (ValueError, AttributeError, jwt.PyJWTError) as error:
        raise LoginError(f"the key set cannot be read: {error}") from None


def verify(bearer: str, keys: Iterable[Any], config: Mapping[str, Any], now: float) -> Claims:
    """What a token says of its bearer, if one of the keys signed it and it holds now.  Raises LoginError."""
    payload = _payload(bearer, keys, tuple(config.get("JWTSupportedAlgs") or ("RS256",)))
    _check_times(payload, float(config.get("ClockSkewLeeway") or 0) / _NANO or SKEW, now)
    issuer, audiences = config.get("BoundIssuer"), config.get("BoundAudiences") or []
    if issuer and payload.get("iss") != issuer:
        raise LoginError("error validating claims: invalid issuer")
    given = payload.get("aud") or []
    if audiences and not set(audiences) & set([given] if isinstance(given, str) else given):
        raise LoginError("error validating claims: invalid audience")
    return _claims(payload, config)


def _payload(bearer: str, keys: Iterable[Any], algorithms: tuple[str, ...]) -> dict[str, Any]:
    import jwt

    options: Any = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
    failure = "no known key signed it"
    for key in keys:
        try:
            payload: dict[str, Any] = jwt.decode(bearer, key, algorithms=list(algorithms), options=options)
            return payload
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            failure = str(error)
    raise LoginError(f"error verifying token: {failure}")


def _check_times(payload: Mapping[str, Any], leeway: float, now: float) -> None:
    times = {name: payload[name] for name in ("exp", "nbf", "iat") if name in payload}
    if not times or not all(isinstance(one, int | float) for one in times.values()):
        raise LoginError("no issue time, notBefore, or expiration time encoded in token")
    if now > times.get("exp", now) + leeway:
        raise LoginError("invalid expiration time: token is expired")
    if now < times.get("nbf", now) - leeway:
        raise LoginError("invalid not before time: token not yet valid")
    if now < times.get("iat", now) - leeway:
        raise LoginError("invalid issue time: token was issued in the future")


def _claims(payload: Mapping[str, Any], config: Mapping[str, Any]) -> Claims:
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    for path, name in _mapping(config, "ClaimMappings").items():
        found = _claim(payload, path)
        if isinstance(found, bool):
            values[name] = "true" if found else "false"
        elif isinstance(found, str | int | float):
            values[name] = str(found)
    for path, name in _mapping(config, "ListClaimMappings").items():
        found = _claim(payload, path)
        if found is not None:
            lists[name] = [str(one) for one in (found if isinstance(found, list) else [found])]
    return Claims(values, lists)


def _claim(payload: Any, path: str) -> Any:
    """A claim by its name, or by a JSON pointer (RFC 6901)."""
    if not path.startswith("/"):
        return payload.get(path)
    for part in path[1:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload
