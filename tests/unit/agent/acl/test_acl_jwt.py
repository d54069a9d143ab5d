"""Logging in with a JSON Web Token: who is believed, what is made of it, and what a binding rule gives."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pyconsul.agent.acl.binding import UnknownVariable, bind, interpolate
from pyconsul.agent.acl.jwtmethod import (
    Claims,
    ConfigError,
    LoginError,
    check_config,
    keys_of_jwks,
    keys_of_pem,
    verify,
)
from pyconsul.agent.filter.compile import compile_filter
from pyconsul.agent.model.acl import BindingRule, NodeIdentity, ServiceIdentity
from pyconsul.agent.state.store import Store

NOW = 1_000_000.0
KEY = rsa.generate_private_key(65537, 2048)
PEM = (
    KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)
CONFIG: dict[str, Any] = {
    "JWTValidationPubKeys": [PEM],
    "BoundIssuer": "me",
    "BoundAudiences": ["consul", "other"],
    "ClaimMappings": {"sub": "name", "/more/team": "team"},
    "ListClaimMappings": {"groups": "groups"},
}


def signed(key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    payload = {"iss": "me", "aud": "consul", "exp": NOW + 60, "sub": "web", "groups": ["a", "b"], **claims}
    return jwt.encode({name: value for name, value in payload.items() if value is not None}, key, algorithm)


def test_what_a_token_says() -> None:
    claims = verify(signed(more={"team": "x"}), keys_of_pem(CONFIG), CONFIG, NOW)
    assert claims == Claims({"name": "web", "team": "x"}, {"groups": ["a", "b"]})
    assert compile_filter('value.name == "web" and "a" in list.groups', Claims)(claims)
    assert not compile_filter('"c" in list.groups', Claims)(claims)


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"iss": "you"}, "invalid issuer"),
        ({"aud": "nobody"}, "invalid audience"),
        ({"exp": NOW - 61}, "expired"),
        ({"nbf": NOW + 61}, "not yet valid"),
        ({"exp": None}, "no issue time"),
        ({"exp": "soon"}, "no issue time"),
    ],
)
def test_who_is_not_believed(claims: dict[str, Any], words: str) -> None:
    with pytest.raises(LoginError, match=words):
        verify(signed(**claims), keys_of_pem(CONFIG), CONFIG, NOW)


def test_signatures_of_others() -> None:
    other = rsa.generate_private_key(65537, 2048)
    for bearer in (signed(other), signed("x" * 32, "HS256"), "no token", signed()[:-4]):
        with pytest.raises(LoginError, match="error verifying token"):
            verify(bearer, keys_of_pem(CONFIG), CONFIG, NOW)


def test_keys_of_a_key_set() -> None:
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
    keys = keys_of_jwks(json.dumps({"keys": [jwk]}))
    assert verify(signed(), keys, CONFIG, NOW).value["name"] == "web"
    check_config({"JWKS": {"keys": [jwk]}})
    with pytest.raises(LoginError, match="key set"):
        keys_of_jwks("no keys")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"JWTValidationPubKeys": ["no key"]},
        {"JWKS": "no keys"},
        {"JWKSURL": "ftp://127.0.0.1/keys"},
        {"JWTValidationPubKeys": [PEM], "JWKSURL": "http://127.0.0.1/"},
        {"JWTValidationPubKeys": [PEM], "JWTSupportedAlgs": ["HS256"]},
        {"JWTValidationPubKeys": [PEM], "ClaimMappings": {"a": "x"}, "ListClaimMappings": {"b": "x"}},
    ],
)
def test_configurations_that_cannot_be(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        check_config(config)


def test_what_binding_rules_give() -> None:
    rules = [
        BindingRule(id="1", auth_method="m", bind_type="service", bind_name="api-${value.name}"),
        BindingRule(id="2", auth_method="m", bind_type="node", bind_name="N1"),
        BindingRule(id="3", auth_method="m", bind_type="role", bind_name="missing"),
        BindingRule(id="4", auth_method="m", bind_type="service", bind_name="no good name"),
    ]
    grants = bind(Store(), rules, Claims({"name": "web"}), "dc1")
    assert grants.service_identities == (ServiceIdentity("api-web"),)
    assert grants.node_identities == (NodeIdentity("n1", "dc1"),)
    assert grants.roles == ()


def test_unknown_variables() -> None:
    assert interpolate("a-${value.x}-${ value.y }", {"x": "1", "y": "2"}) == "a-1-2"
    with pytest.raises(UnknownVariable, match=r"value\.z"):
        interpolate("${value.z}", {"x": "1"})
