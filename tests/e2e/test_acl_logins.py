"""Auth methods, logins, and tokens that end while their requests wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.acl_agent import Caller, Manager, acl_agent
from tests.support.raw_http import Raw


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    with acl_agent() as found:
        yield found


METHODS = [
    ("jwt", {}, "or 'OIDCDiscoveryURL' must be set for type \"jwt\""),
    ("jwt", {"JWTValidationPubKeys": ["x"]}, "RSA, ECDSA, or ED25519 public keys"),
    ("jwt", {"JWTValidationPubKeys": None, "jwksurl": None}, "must be set for type \"jwt\""),
    ("jwt", {"Unknown": None}, "error decoding config: 1 error(s) decoding:\n\n* '' has invalid keys: Unknown"),
    ("jwt", {"BoundAudiences": {"a": []}}, "'BoundAudiences[0]' expected type 'string'"),
    ("kubernetes", {"Host": "https://k8s"}, "Invalid Auth Method: Config.CACert is required"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "words"), METHODS, ids=range(len(METHODS)))
def test_auth_methods_that_are_refused(manager: Manager, kind: str, config: object, words: str) -> None:
    status, text = manager.put("/v1/acl/auth-method", {"Name": "m", "Type": kind, "Config": config})
    assert status == 500
    assert words in text, text


def test_a_login_is_refused_in_words_whatever_it_sends(manager: Manager) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    config = {"jwtvalidationpubkeys": [pem], "JWTSupportedAlgs": ["ES256"], "ClaimMappings": {"sub": "name"}}
    manager.write("/v1/acl/auth-method", {"Name": "people", "Type": "jwt", "Config": config})
    manager.write("/v1/acl/binding-rule", {"AuthMethod": "people", "BindType": "service", "BindName": "${value.name}"})
    now = time.time()
    nobody = Caller(manager.agent, "")

    def login(**claims: object) -> tuple[int, str]:
        bearer = jwt.encode({"sub": "web", **claims}, key, "ES256")
        return nobody.ask("POST", "/v1/acl/login", {"AuthMethod": "people", "BearerToken": bearer})

    assert login(exp=now + 60)[0] == 200
    assert login(iat=now)[0] == 200
    for claims, words in (
        ({"iat": now - 864_000}, "token is expired"),
        ({"exp": float("inf")}, "exp must be a number"),
        ({"exp": now + 60, "aud": "someone-else"}, "audience claim found in JWT but no audiences are bound"),
        ({"exp": now + 60, "aud": 7}, "aud must be"),
        ({"exp": now + 60, "sub": "a" * 257}, "Permission denied"),
    ):
        status, text = login(**claims)
        assert (status, words in text) == (403, True), text
    for bearer in ("x", "a.b.c", "." * 1000, "x" * 100_000):
        assert nobody.ask("POST", "/v1/acl/login", {"AuthMethod": "people", "BearerToken": bearer})[0] == 403


@pytest.mark.single_server("a client agent keeps tokens for acl.token_ttl", mode="client")
def test_a_token_that_is_deleted_while_its_request_waits_gets_no_data(manager: Manager) -> None:
    manager.write("/v1/agent/service/register", {"Name": "waited-for"})
    caller = manager.caller('service "waited-for" { policy = "read" }')
    accessor = caller.read("/v1/acl/token/self")["AccessorID"]
    known = caller.read("/v1/agent/service/waited-for")["ContentHash"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(caller.ask, "GET", f"/v1/agent/service/waited-for?hash={known}&wait=20s")
        time.sleep(0.2)  # so that it most likely waits; refused it is in any case
        assert manager.ask("DELETE", f"/v1/acl/token/{accessor}")[0] == 200
        manager.write("/v1/agent/service/register", {"Name": "waited-for", "Port": 4242})
        status, text = waiting.result()
    assert (status, "4242" in text) == (403, False)
    manager.put("/v1/agent/service/deregister/waited-for")


@pytest.mark.single_server("a client agent keeps tokens for acl.token_ttl", mode="client")
def test_a_token_that_is_deleted_while_its_request_waits_in_vain_is_refused(manager: Manager) -> None:
    manager.write("/v1/agent/service/register", {"Name": "idle"})
    caller = manager.caller('service "idle" { policy = "read" }')
    accessor = caller.read("/v1/acl/token/self")["AccessorID"]
    known = caller.read("/v1/agent/service/idle")["ContentHash"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(caller.ask, "GET", f"/v1/agent/service/idle?hash={known}&wait=1s")
        assert manager.ask("DELETE", f"/v1/acl/token/{accessor}")[0] == 200
        assert waiting.result()[0] == 403
    manager.put("/v1/agent/service/deregister/idle")


@pytest.mark.single_server("a client agent keeps tokens for acl.token_ttl", mode="client")
def test_a_log_that_is_followed_ends_with_its_token(manager: Manager) -> None:
    caller = manager.caller('agent_prefix "" { policy = "read" }')
    accessor = caller.read("/v1/acl/token/self")["AccessorID"]
    with Raw(manager.agent.http_port) as raw:
        raw.send(f"GET /v1/agent/monitor HTTP/1.1\r\nHost: x\r\nX-Consul-Token: {caller.secret}\r\n\r\n".encode())
        assert b"200 OK" in raw.reader.readline()
        manager.caller('key "x" { policy = "read" }')  # somebody else's rights
        assert manager.ask("DELETE", f"/v1/acl/token/{accessor}")[0] == 200
        assert raw.everything().endswith(b"0\r\n\r\n")
