"""Auth methods of type `jwt`: whom a JSON Web Token speaks of (RFC 7519; PyJWT checks signatures).

https://developer.hashicorp.com/consul/docs/security/acl/auth-methods/jwt
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pyconsul.agent.acl.methods.jwtkeys import ASYMMETRIC, VerifyingKey, candidates, keys_of_config, keys_of_pem
from pyconsul.agent.acl.methods.methodconfig import ConfigError, JWTConfig, read_jwt
from pyconsul.agent.common.go.durations import SECOND_NS

DEFAULT_SKEW_S = 60.0  # seconds that clocks may differ, unless the method says otherwise
DEFAULT_LEEWAY_S = 150.0  # seconds that a token without `exp` lives after `iat` or `nbf`, or without `nbf` before `exp`
MAX_BEARER = 64 << 10  # characters of a token
MAX_TIME = 1 << 53  # Unix seconds; whole numbers up to here are exact in JSON


class LoginError(Exception):
    """A token that is not believed; the text says why."""


class UnknownKey(LoginError):
    """A token that no known key signed; a fresh key set may have the key."""


class Claims(msgspec.Struct, frozen=True):
    """A token's claims by the names that the method's mappings give them; binding rules select by it."""

    value: dict[str, str] = {}
    lists: dict[str, list[str]] = msgspec.field(name="list", default_factory=dict)


def check_config(given: Mapping[str, Any]) -> JWTConfig:
    """Return the configuration, if it names one source of keys, and keys that can be read.  Raises ConfigError."""
    config = read_jwt(given)
    sources = [
        source for source in (config.public_keys, config.jwks_url, config.oidc_discovery_url, config.jwks) if source
    ]
    if len(sources) != 1:
        raise ConfigError(
            "exactly one of 'JWTValidationPubKeys', 'JWKSURL', or 'OIDCDiscoveryURL' must be set for type \"jwt\""
        )
    for name, url in (("JWKSURL", config.jwks_url), ("OIDCDiscoveryURL", config.oidc_discovery_url)):
        if url and not url.startswith(("https://", "http://", "file:///")):
            raise ConfigError(f"invalid {name}: {url!r}; allowed: https://…, http://…, file:///…")
    if config.jwks:
        keys_of_config(config)
    for algorithm in config.jwt_supported_algs:
        if algorithm not in ASYMMETRIC:
            raise ConfigError(f"invalid JWTSupportedAlgs: {algorithm!r}; allowed: {', '.join(ASYMMETRIC)}")
    names = [*config.claim_mappings.values(), *config.list_claim_mappings.values()]
    if len(names) != len(set(names)):
        raise ConfigError("ClaimMappings and ListClaimMappings must not map to the same name twice")
    keys_of_pem(config)
    return config


def verify(bearer: str, keys: Iterable[VerifyingKey], config: JWTConfig, now: float) -> Claims:
    """Return a token's claims about its bearer, if one of the keys signed it and it holds now.  Raises LoginError."""
    if not bearer:
        raise LoginError("missing jwt")
    if len(bearer) > MAX_BEARER:
        raise LoginError(f"error verifying token: it is longer than {MAX_BEARER} characters")
    payload = _payload(bearer, keys, tuple(config.jwt_supported_algs or ("RS256",)))
    _check_times(payload, config, now)
    if config.bound_issuer and payload.get("iss") != config.bound_issuer:
        raise LoginError("error validating claims: validation failed, invalid issuer claim (iss)")
    _check_audience(payload, config.bound_audiences)
    return _claims(payload, config)


def _payload(bearer: str, keys: Iterable[VerifyingKey], algorithms: tuple[str, ...]) -> dict[str, Any]:
    import jwt
    from cryptography.exceptions import UnsupportedAlgorithm

    broken = (jwt.PyJWTError, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)
    options: Any = {
        "verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_iss": False,
        "verify_sub": False, "verify_jti": False,
    }  # fmt: skip
    try:
        header = jwt.get_unverified_header(bearer)
    except broken as error:
        raise LoginError(f"error parsing token: {str(error)[:200]}") from None
    failure = "no known key successfully validated the token signature"
    for key in candidates(keys, header.get("kid"), header.get("alg")):
        try:
            payload: dict[str, Any] = jwt.decode(bearer, key.public, algorithms=list(algorithms), options=options)
            return payload
        except (*broken, UnsupportedAlgorithm) as error:
            failure = str(error)[:200]
    raise UnknownKey(f"error verifying token: {failure}")


def _check_times(payload: Mapping[str, Any], config: JWTConfig, now: float) -> None:
    """Raises LoginError unless the token holds now; one without `exp` or `nbf` gets it from the other times."""
    issued, begins, ends = (_time(payload, name) for name in ("iat", "nbf", "exp"))
    if not issued and not begins and not ends:
        raise LoginError("no issue time, notBefore, or expiration time encoded in token")
    ends = ends or max(issued, begins) + _leeway(config.expiration_leeway, DEFAULT_LEEWAY_S)
    begins = begins or issued or ends - _leeway(config.not_before_leeway, DEFAULT_LEEWAY_S)
    skew = _leeway(config.clock_skew_leeway, DEFAULT_SKEW_S)
    failed = "error validating claims: validation failed,"
    if now > ends + skew:
        raise LoginError(f"{failed} token is expired (exp)")
    if now < begins - skew:
        raise LoginError(f"{failed} token not valid yet (nbf)")
    if now < issued - skew:
        raise LoginError(f"{failed} token issued in the future (iat)")


def _time(payload: Mapping[str, Any], name: str) -> float:
    """Return a claim that is a time in Unix seconds; 0 when it is missing.  Raises LoginError unless it is a finite number."""
    value = payload.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_TIME:
        raise LoginError(f"error validating claims: {name} must be a number of seconds since 1970")
    return int(value)


def _leeway(nanoseconds: int, default: float) -> float:
    return default if nanoseconds == 0 else max(0.0, nanoseconds / SECOND_NS)


def _check_audience(payload: Mapping[str, Any], bound: list[str]) -> None:
    """Verify that the audience of a token is one that the method is bound to.  Raises LoginError."""
    given = payload.get("aud")
    audiences = [given] if isinstance(given, str) else given if given is not None else []
    if not isinstance(audiences, list) or not all(isinstance(one, str) for one in audiences):
        raise LoginError("error validating claims: aud must be a text or a list of texts")
    if audiences and not bound:
        raise LoginError("error validating claims: audience claim found in JWT but no audiences are bound")
    if bound and not set(bound) & set(audiences):
        raise LoginError("error validating claims: aud claim does not match any bound audience")


def _claims(payload: Mapping[str, Any], config: JWTConfig) -> Claims:
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    for path, name in config.claim_mappings.items():
        found = _claim(payload, path)
        if isinstance(found, bool):
            values[name] = "true" if found else "false"
        elif isinstance(found, str | int | float):
            values[name] = str(found)
    for path, name in config.list_claim_mappings.items():
        found = _claim(payload, path)
        if found is not None:
            lists[name] = [str(one) for one in (found if isinstance(found, list) else [found])]
    return Claims(values, lists)


def _claim(payload: Any, path: str) -> Any:
    """Return a claim by its name, or by a JSON pointer (RFC 6901)."""
    if not path.startswith("/"):
        return payload.get(path)
    for part in path[1:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload
