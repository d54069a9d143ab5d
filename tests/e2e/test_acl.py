"""Access control of a real agent: what outlives a restart, what ends in time, and what nobody may see."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.eventually import PATIENCE, eventually

from pyconsul.agent.acl.login_limit import BURST
from tests.support.agent_process import PROGRAM, AgentProcess, running_agent

ROOT = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"


def acl(**tokens: str) -> dict[str, Any]:
    return {"enabled": True, "default_policy": "deny", "tokens": tokens}


def ask(agent: AgentProcess, method: str, path: str, body: Any = None, token: str = ROOT) -> tuple[int, str]:
    status, _, text = agent.request(method, path, body, {"X-Consul-Token": token} if token else {})
    return status, text.decode()


def made(agent: AgentProcess, path: str, body: Any) -> dict[str, Any]:
    status, text = ask(agent, "PUT", path, body)
    assert status == 200, text
    found: dict[str, Any] = json.loads(text)
    return found


def token_for(agent: AgentProcess, name: str, rules: str, **more: Any) -> dict[str, Any]:
    made(agent, "/v1/acl/policy", {"Name": name, "Rules": rules})
    return made(agent, "/v1/acl/token", {"Policies": [{"Name": name}], **more})


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(acl=acl(initial_management=ROOT, agent=ROOT), log_level="trace") as running:
        yield running


def test_a_cached_answer_is_for_one_token_alone(agent: AgentProcess) -> None:
    ask(agent, "PUT", "/v1/kv/cached/a", b"secret")
    reader = token_for(agent, "cached", 'key_prefix "cached/" { policy = "read" }')["SecretID"]
    other = token_for(agent, "cached-not", 'key_prefix "elsewhere/" { policy = "read" }')["SecretID"]
    for _ in range(3):
        assert ask(agent, "GET", "/v1/kv/cached/a?raw", token=reader) == (200, "secret")
        assert ask(agent, "GET", "/v1/kv/cached/a?raw", token=other)[0] == 403
        assert ask(agent, "GET", "/v1/kv/cached/a?raw", token="")[0] == 403
        assert ask(agent, "GET", f"/v1/kv/cached/a?raw&token={reader}", token=other)[0] == 200
        assert ask(agent, "GET", f"/v1/kv/cached/a?raw&token={other}", token=reader)[0] == 403


def test_changed_rules_hold_for_cached_answers(agent: AgentProcess) -> None:
    ask(agent, "PUT", "/v1/kv/changed/a", b"1")
    made_token = token_for(agent, "changed", 'key_prefix "changed/" { policy = "read" }')
    secret = made_token["SecretID"]
    for _ in range(3):
        assert ask(agent, "GET", "/v1/kv/changed/a?raw", token=secret)[0] == 200
    policy = made_token["Policies"][0]["ID"]
    made(agent, f"/v1/acl/policy/{policy}", {"Name": "changed", "Rules": ""})
    assert ask(agent, "GET", "/v1/kv/changed/a?raw", token=secret)[0] == 403
    made(agent, f"/v1/acl/policy/{policy}", {"Name": "changed", "Rules": 'key "changed/a" { policy = "read" }'})
    assert ask(agent, "GET", "/v1/kv/changed/a?raw", token=secret)[0] == 200
    assert ask(agent, "DELETE", f"/v1/acl/token/{made_token['AccessorID']}") == (200, "true")
    assert ask(agent, "GET", "/v1/kv/changed/a?raw", token=secret) == (403, "ACL not found")


def test_a_waiting_reader_is_refused_once_its_token_is_deleted(agent: AgentProcess) -> None:
    secret = token_for(agent, "waits", 'key_prefix "waits/" { policy = "read" }')
    ask(agent, "PUT", "/v1/kv/waits/a", b"1")
    status, headers, _ = agent.request("GET", "/v1/kv/waits/a", None, {"X-Consul-Token": secret["SecretID"]})
    assert status == 200
    path = f"/v1/kv/waits/a?index={headers['x-consul-index']}&wait=60s"
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(ask, agent, "GET", path, None, secret["SecretID"])
        ask(agent, "DELETE", f"/v1/acl/token/{secret['AccessorID']}")
        ask(agent, "PUT", "/v1/kv/waits/a", b"2")
        assert waiting.result(PATIENCE)[0] == 403


def test_explanations(agent: AgentProcess) -> None:
    rules = 'key_prefix "app/" { policy = "write" }\nkey_prefix "app/db/" { policy = "read" }'
    token = token_for(agent, "explained", rules)
    path = "/v1/acl/explain?permission=key:write&resource=app/db/x"
    status, text = ask(agent, "GET", path, token=token["SecretID"])
    found = json.loads(text)
    assert status == 200
    assert not found["Allowed"]
    assert found["Rule"] == {"Policy": "explained", "Line": 2, "Rule": 'key_prefix "app/db/" { policy = "read" }'}
    assert found["Needed"] == 'key "app/db/x" { policy = "write" }'
    assert json.loads(ask(agent, "GET", f"{path}&accessor={token['AccessorID']}")[1]) == found
    assert ask(agent, "GET", f"{path}&accessor={token['AccessorID']}", token=token["SecretID"])[0] == 403
    status, text = ask(agent, "GET", "/v1/acl/explain?permission=keys:write&resource=a")
    assert status == 400
    assert "allowed:" in text


def test_many_questions_at_once(agent: AgentProcess) -> None:
    secret = token_for(agent, "many", 'key_prefix "app/" { policy = "read" }\noperator = "read"')["SecretID"]
    asked = [("key", "read", "app/x"), ("key", "write", "app/x"), ("operator", "read", ""), ("acl", "read", "")]
    body = [{"Resource": kind, "Access": access, "Segment": name} for kind, access, name in asked]
    status, text = ask(agent, "POST", "/v1/internal/acl/authorize", body, secret)
    assert status == 200, text
    assert [one["Allow"] for one in json.loads(text)] == [True, False, True, False]
    assert ask(agent, "POST", "/v1/internal/acl/authorize", [{"Resource": "x", "Access": "read"}])[0] == 400


def test_services_of_a_refused_token_are_not_in_the_catalog(agent: AgentProcess) -> None:
    secret = token_for(agent, "web", 'service "web" { policy = "write" }')
    assert ask(agent, "PUT", "/v1/agent/service/register", {"Name": "web"}, secret["SecretID"])[0] == 200
    assert "web" in ask(agent, "GET", "/v1/catalog/services")[1]
    ask(agent, "PUT", "/v1/agent/service/deregister/web")
    unknown = {"Name": "web", "Token": "99999999-2222-4333-8444-555555555555"}
    assert ask(agent, "PUT", "/v1/agent/service/register", unknown, secret["SecretID"])[0] == 200
    assert "web" in ask(agent, "GET", "/v1/agent/services")[1]
    assert "web" not in ask(agent, "GET", "/v1/catalog/services")[1]


def test_logging_in_and_out(agent: AgentProcess) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    config = {
        "JWTValidationPubKeys": [pem.decode()],
        "JWTSupportedAlgs": ["ES256"],
        "BoundAudiences": ["consul"],
        "ClaimMappings": {"sub": "who"},
    }
    method = {"Name": "people", "Type": "jwt", "MaxTokenTTL": "10m", "Config": config}
    assert made(agent, "/v1/acl/auth-method", method)["MaxTokenTTL"] == "10m0s"
    assert "Config" not in json.loads(ask(agent, "GET", "/v1/acl/auth-methods")[1])[0]
    rule = {"AuthMethod": "people", "Selector": 'value.who == "web"', "BindType": "service", "BindName": "${value.who}"}
    made(agent, "/v1/acl/binding-rule", rule)

    def bearer_of(who: str, signer: Any = key) -> str:
        return jwt.encode({"sub": who, "aud": "consul", "exp": time.time() + 60}, signer, "ES256")

    def login(who: str, signer: Any = key, bearer: str = "") -> tuple[int, str]:
        bearer = bearer or bearer_of(who, signer)
        body = {"AuthMethod": "people", "BearerToken": bearer, "Meta": {"from": "test"}}
        return ask(agent, "POST", "/v1/acl/login", body, token="")

    status, text = login("web")
    token = json.loads(text)
    assert status == 200
    assert token["AuthMethod"] == "people"
    assert token["Local"]
    assert token["Description"] == 'token created via login: {"from":"test"}'
    assert token["ServiceIdentities"] == [{"ServiceName": "web"}]
    assert "ExpirationTime" in token
    assert login("somebody")[0] == 403
    assert login("web", ec.generate_private_key(ec.SECP256R1()))[0] == 403
    explained = json.loads(
        ask(agent, "GET", "/v1/acl/explain?permission=service:write&resource=web", token=token["SecretID"])[1]
    )
    assert explained["Allowed"]
    assert ask(agent, "POST", "/v1/acl/logout", token=token["SecretID"]) == (200, "true")
    assert ask(agent, "GET", "/v1/acl/token/self", token=token["SecretID"])[0] == 403
    bearer = bearer_of("web")
    refused = next(found for _ in range(10 * BURST) if (found := login("web", bearer=bearer))[0] != 200)
    assert refused[0] == 429
    assert "too many logins with this bearer token" in refused[1]
    assert login("web")[0] == 200  # another's


def test_no_secret_is_in_the_log(agent: AgentProcess) -> None:
    token = made(agent, "/v1/acl/token", {})["SecretID"]
    ask(agent, "GET", f"/v1/kv/a?token={token}", token="")
    ask(agent, "GET", "/v1/agent/self", token=token)
    ask(agent, "PUT", "/v1/agent/token/default", {"Token": token})
    ask(agent, "PUT", "/v1/agent/token/default", {"Token": ""})
    log = agent.log()
    assert token not in log
    assert ROOT not in log
    assert ROOT not in ask(agent, "GET", "/v1/agent/self")[1]


@pytest.mark.single_server("the leader reads the file acl-bootstrap-reset")
def test_access_control_survives_a_restart(tmp_path: Path) -> None:
    settings = {"acl": {**acl(), "enable_token_persistence": True}}
    first = AgentProcess(tmp_path, tmp_path / "data", **settings).start()
    try:
        status, text = ask(first, "PUT", "/v1/acl/bootstrap", token="")
        assert status == 200, text
        root = json.loads(text)["SecretID"]
        assert ask(first, "PUT", "/v1/acl/bootstrap", token="")[0] == 403
        rules = 'key_prefix "" { policy = "read" }'
        assert ask(first, "PUT", "/v1/acl/policy", {"Name": "r", "Rules": rules}, root)[0] == 200
        token = json.loads(ask(first, "PUT", "/v1/acl/token", {"Policies": [{"Name": "r"}]}, root)[1])
        body = {"Token": token["SecretID"]}
        assert ask(first, "PUT", "/v1/agent/token/default", body, root)[0] == 200
    finally:
        first.kill()
    second = AgentProcess(tmp_path, tmp_path / "data", **settings).start()
    try:
        shown = json.loads(ask(second, "GET", "/v1/acl/token/self", token=token["SecretID"])[1])
        assert shown == token
        assert ask(second, "GET", "/v1/kv/missing", token="")[0] == 404  # by the default token, which was kept
        _, refusal = ask(second, "PUT", "/v1/acl/bootstrap", token="")
        index = refusal.partition("reset index: ")[2].rstrip(")")
        (tmp_path / "data" / "acl-bootstrap-reset").write_text("0")
        assert ask(second, "PUT", "/v1/acl/bootstrap", token="")[0] == 403
        (tmp_path / "data" / "acl-bootstrap-reset").write_text(index + "\n")
        assert ask(second, "PUT", "/v1/acl/bootstrap", token="")[0] == 200
        assert ask(second, "PUT", "/v1/acl/bootstrap", token="")[0] == 403
        assert not (tmp_path / "data" / "acl-bootstrap-reset").exists()
        assert (tmp_path / "data" / "acl-tokens.json").stat().st_mode & 0o77 == 0
    finally:
        second.stop()


@pytest.mark.single_server("its next full sync registers the service, within a minute", mode="client")
def test_services_of_files_use_their_token(tmp_path: Path) -> None:
    secret = "77777777-2222-4333-8444-555555555555"
    settings = acl(initial_management=ROOT, config_file_service_registration=secret)
    with running_agent(acl=settings, services=[{"name": "web"}, {"name": "db"}]) as agent:
        assert "web" not in ask(agent, "GET", "/v1/catalog/services")[1]
        token_for(agent, "web", 'service "web" { policy = "write" }', SecretID=secret)
        eventually(lambda: "web" in ask(agent, "GET", "/v1/catalog/services")[1])
        assert "db" not in ask(agent, "GET", "/v1/catalog/services")[1]


def test_keys_are_listed_with_their_own_permission() -> None:
    with running_agent(acl={**acl(initial_management=ROOT), "enable_key_list_policy": True}) as agent:
        ask(agent, "PUT", "/v1/kv/a/1", b"x")
        reader = token_for(agent, "reads", 'key_prefix "a/" { policy = "read" }')["SecretID"]
        lister = token_for(agent, "lists", 'key_prefix "a/" { policy = "list" }')["SecretID"]
        for how in ("keys", "recurse"):
            status, text = ask(agent, "GET", f"/v1/kv/a/?{how}", token=reader)
            assert status == 403
            assert "lacks permission 'key:list' on \"a/\"" in text
            assert ask(agent, "GET", f"/v1/kv/a/?{how}", token=lister)[0] == 200
        assert ask(agent, "GET", "/v1/kv/a/1", token=reader)[0] == 200


def test_the_command_that_explains(agent: AgentProcess) -> None:
    secret = token_for(agent, "asked", 'key_prefix "app/" { policy = "read" }')["SecretID"]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*PROGRAM, "acl", "explain", "-http-addr", agent.address, "-token", secret, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)

    allowed = run("key:read", "app/x")
    assert (allowed.returncode, allowed.stderr) == (0, "")
    assert 'key_prefix "app/" { policy = "read" } (policy asked, line 1)' in allowed.stdout
    denied = run("key:write", "app/x")
    assert denied.returncode == 2
    assert 'To allow it: key "app/x" { policy = "write" }' in denied.stdout
    assert json.loads(run("-format=json", "key:write", "app/x").stdout)["Allowed"] is False
    assert run("key:write").returncode == 1
    assert run().returncode == 1
