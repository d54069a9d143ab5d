"""Logging in with a JSON Web Token: who is believed, what is made of it, and what a binding rule gives."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pyconsul.agent.acl.methods.binding import UnknownVariable, bind, interpolate
from pyconsul.agent.acl.methods.jwtkeys import NOT_A_KEY, KeySetError, VerifyingKey, keys_of_jwks, keys_of_pem
from pyconsul.agent.acl.methods.jwtmethod import MAX_BEARER, Claims, LoginError, UnknownKey, check_config, verify
from pyconsul.agent.acl.methods.methodconfig import ConfigError, JWTConfig, check_unsupported, read_jwt
from pyconsul.agent.filter.compile import compile_filter
from pyconsul.agent.model.acl import BindingRule, Grants, NodeIdentity, ServiceIdentity
from pyconsul.agent.state.store import Store

NOW = 1_000_000.0
KEY = rsa.generate_private_key(65537, 2048)
PEM = (
    KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)
SMALL = rsa.generate_private_key(65537, 1024)
SHORT = (
    SMALL.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
CONFIG: dict[str, Any] = {
    "JWTValidationPubKeys": [PEM],
    "BoundIssuer": "me",
    "BoundAudiences": ["consul", "other"],
    "ClaimMappings": {"sub": "name", "/more/team": "team"},
    "ListClaimMappings": {"groups": "groups"},
}


BOUND = read_jwt(CONFIG)
KEYS = keys_of_pem(BOUND)


def config_with(**changes: Any) -> JWTConfig:
    return read_jwt({**CONFIG, **changes})


def signed(key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    payload = {"iss": "me", "aud": "consul", "exp": NOW + 60, "sub": "web", "groups": ["a", "b"], **claims}
    return jwt.encode({name: value for name, value in payload.items() if value is not None}, key, algorithm)


def test_claims_of_a_token() -> None:
    claims = verify(signed(more={"team": "x"}), KEYS, BOUND, NOW)
    assert claims == Claims({"name": "web", "team": "x"}, {"groups": ["a", "b"]})
    assert compile_filter('value.name == "web" and "a" in list.groups', Claims)(claims)
    assert not compile_filter('"c" in list.groups', Claims)(claims)


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"iss": "you"}, "invalid issuer"),
        ({"aud": "nobody"}, "aud claim does not match any bound audience"),
        ({"exp": NOW - 61}, "expired"),
        ({"nbf": NOW + 61}, "not valid yet"),
        ({"exp": None}, "no issue time"),
        ({"exp": "soon"}, "exp must be a number"),
        ({"exp": float("nan")}, "exp must be a number"),
        ({"exp": float("inf")}, "exp must be a number"),
        ({"exp": 10**30}, "exp must be a number"),
        ({"exp": True}, "exp must be a number"),
        ({"nbf": [1]}, "nbf must be a number"),
        ({"iat": NOW + 61}, "not valid yet"),
        ({"iat": NOW + 61, "nbf": NOW}, "issued in the future"),
        ({"exp": None, "iat": NOW - 864_000}, "expired"),
        ({"exp": None, "iat": NOW - 211}, "expired"),
        ({"exp": None, "iat": 1, "nbf": NOW - 211}, "expired"),
        ({"aud": 7}, "aud must be"),
        ({"aud": [["consul"]]}, "aud must be"),
        ({"aud": {"consul": 1}}, "aud must be"),
        ({"aud": None}, "aud claim does not match"),
    ],
)
def test_tokens_that_are_refused(claims: dict[str, Any], words: str) -> None:
    with pytest.raises(LoginError, match=words):
        verify(signed(**claims), KEYS, BOUND, NOW)


def test_signatures_of_others() -> None:
    other = rsa.generate_private_key(65537, 2048)
    for bearer in (signed(other), signed("x" * 32, "HS256"), signed()[:-4] + "AAAA"):
        with pytest.raises(UnknownKey, match="error verifying token"):
            verify(bearer, KEYS, BOUND, NOW)


def test_a_token_without_exp_lives_for_a_while_after_it_was_issued() -> None:
    verify(signed(exp=None, iat=NOW - 209), KEYS, BOUND, NOW)
    verify(signed(exp=None, iat=NOW - 864_000, nbf=NOW - 209), KEYS, BOUND, NOW)
    longer = config_with(ExpirationLeeway="1h", ClockSkewLeeway=-1)
    verify(signed(exp=None, iat=NOW - 3599), KEYS, longer, NOW)
    with pytest.raises(LoginError, match="expired"):
        verify(signed(exp=None, iat=NOW - 3601), KEYS, longer, NOW)
    none = config_with(ExpirationLeeway=-1, ClockSkewLeeway=-1)
    with pytest.raises(LoginError, match="expired"):
        verify(signed(exp=None, iat=NOW - 1), KEYS, none, NOW)
    verify(signed(exp=NOW + 60.5), KEYS, BOUND, NOW)


def test_a_token_with_an_audience_needs_a_bound_method() -> None:
    unbound = config_with(BoundAudiences=None)
    with pytest.raises(LoginError, match="audience claim found in JWT but no audiences are bound"):
        verify(signed(aud="someone-else"), KEYS, unbound, NOW)
    assert verify(signed(aud=None), KEYS, unbound, NOW).value["name"] == "web"
    assert verify(signed(aud=["x", "other"]), KEYS, BOUND, NOW).value["name"] == "web"


def _bearer(header: str, payload: str) -> str:
    parts = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (header, payload, "x")]
    return ".".join(parts)


RS256 = '{"alg":"RS256","typ":"JWT"}'


@pytest.mark.parametrize(
    "bearer",
    [
        "",
        "no token",
        "a.b.c",
        "é.é.é",
        "x" * (MAX_BEARER + 1),
        _bearer("[]", "{}"),
        _bearer("[" * 10_000, "{}"),
        _bearer('{"alg":"RS256","kid":' + "9" * 5_000 + "}", "{}"),
        _bearer('{"alg":"RS256","kid":7}', "{}"),
        _bearer('{"alg":["RS256"]}', "{}"),
        _bearer(RS256, "[" * 10_000),
        _bearer(RS256, '{"exp":' + "9" * 5_000 + "}"),
    ],
)
def test_texts_that_are_not_tokens_are_refused(bearer: str) -> None:
    with pytest.raises(LoginError):
        verify(bearer, KEYS, BOUND, NOW)


@pytest.mark.parametrize("payload", ['{"exp":' + "9" * 5_000 + "}", "[" * 10_000, "[]", "7", '{"exp":1e400}'])
def test_signed_payloads_that_cannot_be_read_are_refused(payload: str) -> None:
    bearer = jwt.api_jws.encode(payload.encode(), KEY, "RS256")
    with pytest.raises(LoginError):
        verify(bearer, KEYS, BOUND, NOW)


def test_keys_of_a_key_set() -> None:
    keys = keys_of(jwk())
    assert keys == [VerifyingKey(keys[0].public)]
    assert verify(signed(), keys, BOUND, NOW).value["name"] == "web"
    check_config({"JWKS": {"keys": [jwk()]}})
    with pytest.raises(KeySetError, match="key set"):
        keys_of_jwks("no keys")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"JWTValidationPubKeys": ["no key"]},
        {"JWKS": "no keys"},
        {"JWTValidationPubKeys": [SHORT]},
        {"JWKSURL": "ftp://127.0.0.1/keys"},
        {"JWTValidationPubKeys": [PEM], "Unknown": 1},
        {"JWTValidationPubKeys": [PEM], "ClaimMappings": ["a"]},
        {"JWTValidationPubKeys": [{}]},
        {"JWTValidationPubKeys": [PEM], "ClockSkewLeeway": "soon"},
        {"JWTValidationPubKeys": [PEM], "ClockSkewLeeway": 1e300},
        {"JWTValidationPubKeys": [PEM], "JWKSURL": "http://127.0.0.1/"},
        {"JWTValidationPubKeys": [PEM], "JWTSupportedAlgs": ["HS256"]},
        {"JWTValidationPubKeys": [PEM], "ClaimMappings": {"a": "x"}, "ListClaimMappings": {"b": "x"}},
    ],
)
def test_configurations_that_cannot_be(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        check_config(config)


def test_the_words_about_configurations() -> None:
    for config, words in (
        ({}, "exactly one of 'JWTValidationPubKeys', 'JWKSURL', or 'OIDCDiscoveryURL' must be set for type \"jwt\""),
        ({"JWTValidationPubKeys": ["x"]}, f"error parsing public key JWTValidationPubKeys[0]: {NOT_A_KEY}"),
        (
            {"JWTValidationPubKeys": [PEM, SHORT]},
            "JWTValidationPubKeys[1]: RSA keys need at least 2048 bits, this one has 1024",
        ),
        ({"Unknown": 1}, "error decoding config: 1 error(s) decoding:\n\n* '' has invalid keys: Unknown"),
    ):
        with pytest.raises(ConfigError) as caught:
            check_config(config)
        assert str(caught.value).endswith(words)


def test_keys_of_a_configuration_have_any_case_and_nulls_mean_nothing() -> None:
    given = {"JWTValidationPubkeys": PEM, "boundaudiences": "consul", "BOUNDISSUER": None, "ExpirationLeeway": "1m"}
    config = check_config(given)
    assert (config.public_keys, config.bound_audiences, config.bound_issuer) == ([PEM], ["consul"], "")
    assert config.expiration_leeway == 60 * 10**9


@pytest.mark.parametrize(
    ("kind", "config", "words"),
    [
        ("kubernetes", {}, "Config.Host is required"),
        ("kubernetes", {"host": "https://k"}, "Config.CACert is required"),
        ("kubernetes", {"Host": "https://k", "CACert": "x"}, "Config.ServiceAccountJWT is required"),
        ("kubernetes", {"Host": "h", "CACert": "x", "ServiceAccountJWT": "y"}, "not supported here; use jwt"),
        ("kubernetes", {"Hosts": "x"}, "invalid keys: Hosts"),
        ("aws-iam", {}, "BoundIAMPrincipalARNs is required"),
        ("aws-iam", {"BoundIAMPrincipalARNs": ["a"]}, "not supported here; use jwt"),
    ],
)
def test_types_that_are_not_supported_are_checked_first(kind: str, config: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_unsupported(kind, config)


def jwk(key: Any = KEY, **fields: Any) -> dict[str, Any]:
    return {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), **fields}


def keys_of(*keys: Any) -> list[VerifyingKey]:
    return keys_of_jwks(json.dumps({"keys": keys}))


@pytest.mark.parametrize(
    "key",
    [
        jwk(use="enc"),
        jwk(key_ops=["encrypt"]),
        jwk(key_ops="verify", use="enc"),
        jwk(alg="HS256"),
        jwk(alg="RSA-OAEP"),
        jwk(alg=["RS256"]),
        jwk(SMALL),
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA", "n": "A" * 100_000, "e": "AQAB"},
        {"kty": "RSA"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": ["RSA"]},
        7,
        None,
    ],
)
def test_keys_of_a_set_that_are_not_used(key: Any) -> None:
    with pytest.raises(KeySetError, match="no usable key"):
        keys_of(key)
    assert [one.kid for one in keys_of(key, jwk(kid="good"))] == ["good"]


@pytest.mark.parametrize(
    "text",
    ["", "7", "[]", "{}", '{"keys": 7}', '{"keys": {}}', '{"keys": []}', "[" * 100_000, "9" * 100_000, b"\xff", '{"keys":' * 50_000,
     json.dumps({"keys": [{}] * 101})],
)  # fmt: skip
def test_key_sets_that_cannot_be_read(text: str | bytes) -> None:
    with pytest.raises(KeySetError):
        keys_of_jwks(text)


def test_a_token_is_verified_by_the_key_that_it_names() -> None:
    other = rsa.generate_private_key(65537, 2048)
    keys = keys_of(jwk(kid="a"), jwk(other, kid="b", alg="RS512"))
    both = config_with(JWTSupportedAlgs=["RS256", "RS512"])

    def named(kid: str, key: Any, algorithm: str) -> str:
        return jwt.encode({"iss": "me", "aud": "consul", "exp": NOW + 60, "sub": "web"}, key, algorithm, {"kid": kid})

    verify(named("a", KEY, "RS256"), keys, both, NOW)
    verify(named("b", other, "RS512"), keys, both, NOW)
    for bearer in (named("b", KEY, "RS256"), named("c", KEY, "RS256"), named("b", other, "RS256")):
        with pytest.raises(UnknownKey):
            verify(bearer, keys, both, NOW)


def test_long_names_and_bad_variables_bind_nothing() -> None:
    template: Any = {"bind_name": "builtin/service", "bind_vars": {"Name": "${value.name}"}}
    rules = [
        BindingRule(id="1", auth_method="m", bind_type="service", bind_name="${value.name}"),
        BindingRule(id="2", auth_method="m", bind_type="templated-policy", **template),
    ]
    for name in ("a" * 257, 'x" { policy = "write" } key_prefix "', "a\n"):
        assert bind(Store(), rules, Claims({"name": name}), "dc1") == Grants()
    assert len(bind(Store(), rules, Claims({"name": "a" * 256}), "dc1").service_identities) == 1


def test_grants_of_binding_rules() -> None:
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
