"""`pyconsul acl` against a running agent with ACLs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Ask = Callable[..., Any]


@pytest.fixture
def acl(pyconsul: Run, acl_agent: dict[str, str]) -> Run:
    """Runs `pyconsul acl` with words."""
    return lambda *words, **more: pyconsul("acl", *words, **{**acl_agent, **more})


@pytest.fixture
def ask(acl: Run) -> Ask:
    """The same, with -format=json, decoded."""

    def run(*words: str) -> Any:
        done = acl(*words, "-format=json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_policies(acl: Run, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "rules.hcl").write_text('node_prefix "" {\n  policy = "read"\n}\n')
    policy = ask("policy", "create", "-name=nodes", "-rules=@rules.hcl", "-description=all")
    assert (policy["Name"], policy["Datacenters"]) == ("nodes", None)
    assert ask("policy", "read", f"-id={policy['ID'][:8]}") == policy
    assert acl("policy", "read", "-name=nodes").stdout.decode().splitlines()[:3] == [
        f"ID:           {policy['ID']}",
        "Name:         nodes",
        "Description:  all",
    ]
    assert ask("policy", "update", "-name=nodes", "-rules=")["Rules"] == ""
    listed = acl("policy", "list", "-meta").stdout.decode()
    assert f"nodes:\n   ID:           {policy['ID']}\n" in listed
    assert acl("policy", "delete", "-name=nodes").stdout.decode() == f'Policy "{policy["ID"]}" deleted successfully\n'
    assert acl("policy", "read", "-name=nodes").returncode == 1


def test_tokens_gain_and_lose_rights(acl: Run, ask: Ask) -> None:
    for name in ("one", "two"):
        ask("policy", "create", f"-name={name}", "-rules=")
    token = ask("token", "create", "-policy-name=one", "-service-identity=web", "-expires-ttl=1h")
    accessor = f"-accessor-id={token['AccessorID']}"

    def names(changed: dict[str, Any]) -> list[str]:
        return sorted(link["Name"] for link in changed["Policies"])

    appended = ask("token", "update", accessor, "-append-policy-name=two", "-append-service-identity=db")
    assert names(appended) == ["one", "two"]
    assert [one["ServiceName"] for one in appended["ServiceIdentities"]] == ["web", "db"]
    replaced = ask("token", "update", accessor, "-policy-name=two")
    assert names(replaced) == ["two"]
    assert "ServiceIdentities" not in replaced
    mixed = acl("token", "update", accessor, "-policy-name=two", "-append-policy-name=one")
    assert b"replaces" in mixed.stderr
    assert ask("token", "clone", accessor)["SecretID"] != token["SecretID"]
    assert acl("token", "delete", accessor).returncode == 0
    assert acl("token", "delete", accessor).returncode == 1


def test_roles(acl: Run, ask: Ask) -> None:
    ask("policy", "create", "-name=for-roles", "-rules=")
    role = ask("role", "create", "-name=ops", "-policy-name=for-roles")
    updated = ask("role", "update", f"-id={role['ID']}", "-node-identity=n1:dc1", "-description=operators")
    assert [link["Name"] for link in updated["Policies"]] == ["for-roles"]
    assert updated["NodeIdentities"] == [{"NodeName": "n1", "Datacenter": "dc1"}]
    lines = acl("role", "list").stdout.decode().splitlines()
    assert lines[:3] == ["ops:", f"   ID:           {role['ID']}", "   Description:  operators"]
    bare = ask("role", "update", f"-id={role['ID']}", "-no-merge", "-name=bare", "-node-identity=n1:dc1")
    assert "Policies" not in bare


def test_without_rights(acl: Run) -> None:
    assert acl("policy", "list", CONSUL_HTTP_TOKEN="").returncode == 1
    assert acl("policy", "list", CONSUL_HTTP_TOKEN="", PYCONSUL_DETAILED_EXITCODE="1").returncode == 5
    wrong = acl("policy", "list", CONSUL_HTTP_TOKEN="11111111-2222-4333-8444-555555555555")
    assert wrong.returncode == 1
    assert b"11111111" not in wrong.stderr


def test_templates(acl: Run, ask: Ask) -> None:
    assert b"builtin/service\n" in acl("templated-policy", "list").stdout
    assert b"-var name:api" in acl("templated-policy", "read", "-name=builtin/service").stdout
    policy = ask("templated-policy", "preview", "-name=builtin/service", "-var=name:api")
    assert 'service "api"' in policy["Rules"]
