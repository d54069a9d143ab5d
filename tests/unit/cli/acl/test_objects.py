"""Tokens, roles and policies for people, and the flags they are made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyconsul.cli.acl.objects import merged, node_identities, service_identities, templated_policies
from pyconsul.cli.acl.text import go_time, method_lines, policy_lines, role_lines, rule_lines, token_lines
from pyconsul.cli.errors import UsageError

TOKEN = {
    "AccessorID": "a",
    "SecretID": "s",
    "Description": "d",
    "Local": True,
    "CreateTime": "2026-01-02T03:04:05.678Z",
    "ExpirationTime": "2026-01-02T04:04:05.678Z",
    "Hash": "AQI=",
    "CreateIndex": 1,
    "ModifyIndex": 2,
    "Policies": [{"ID": "p", "Name": "kv"}],
    "Roles": [{"ID": "r", "Name": "ops"}],
    "ServiceIdentities": [{"ServiceName": "web"}, {"ServiceName": "db", "Datacenters": ["dc1", "dc2"]}],
    "NodeIdentities": [{"NodeName": "n1", "Datacenter": "dc1"}],
    "TemplatedPolicies": [{"TemplateName": "builtin/service", "TemplateVariables": {"Name": "api"}}],
}


def test_a_token() -> None:
    assert token_lines(TOKEN, meta=True) == [
        "AccessorID:       a",
        "SecretID:         s",
        "Description:      d",
        "Local:            true",
        "Create Time:      2026-01-02 03:04:05.678 +0000 UTC",
        "Expiration Time:  2026-01-02 04:04:05.678 +0000 UTC",
        "Hash:             0102",
        "Create Index:     1",
        "Modify Index:     2",
        "Policies:",
        "   p - kv",
        "Roles:",
        "   r - ops",
        "Service Identities:",
        "   web (Datacenters: all)",
        "   db (Datacenters: dc1, dc2)",
        "Node Identities:",
        "   n1 (Datacenter: dc1)",
        "Templated Policies:",
        "   builtin/service",
        "      Name: api",
        "      Datacenters: all",
    ]


def test_lists_stand_below_a_name() -> None:
    role = {"ID": "r", "Name": "ops", "Description": "", "Policies": [{"ID": "p", "Name": "kv"}]}
    assert role_lines(role, listed=True) == [
        "ops:",
        "   ID:           r",
        "   Description:",
        "   Policies:",
        "      p - kv",
    ]
    policy = {"ID": "p", "Name": "kv", "Description": "d", "Datacenters": ["dc1", "dc2"]}
    assert policy_lines(policy, listed=True)[-1] == "   Datacenters:  dc1, dc2"
    assert policy_lines({**policy, "Rules": "x"})[-2:] == ["Rules:", "x"]
    method = {"Name": "m", "Type": "jwt", "Description": "", "Config": {"a": 1}, "MaxTokenTTL": "1h0m0s"}
    assert method_lines(method)[-1] == '{\n  "a": 1\n}'
    assert "MaxTokenTTL:   1h0m0s" in method_lines(method)
    assert method_lines(method, listed=True)[0] == "m:"
    rule = {"ID": "b", "AuthMethod": "m", "BindType": "service", "BindName": "web", "Selector": ""}
    assert rule_lines(rule)[0] == "ID:           b"
    assert rule_lines(rule, listed=True)[0] == "b:"


def test_times() -> None:
    assert go_time("2026-01-02T03:04:05Z") == "2026-01-02 03:04:05 +0000 UTC"
    assert go_time("2026-01-02T03:04:05.5+02:00") == "2026-01-02 03:04:05.5 +0200 +0200"
    assert go_time("") == ""


def test_identities() -> None:
    assert service_identities(["web", "db:a,b"]) == [
        {"ServiceName": "web"},
        {"ServiceName": "db", "Datacenters": ["a", "b"]},
    ]
    assert node_identities(["n1:dc1"]) == [{"NodeName": "n1", "Datacenter": "dc1"}]
    for wrong in ("", "web:", ":dc1", "a:b:c"):
        with pytest.raises(UsageError):
            service_identities([wrong])
    for wrong in ("n1", "n1:", ":dc1", "a:b:c"):
        with pytest.raises(UsageError):
            node_identities([wrong])


def test_templated_policies(tmp_path: Path) -> None:
    assert templated_policies("", "", []) == []
    assert templated_policies("builtin/dns", "", []) == [{"TemplateName": "builtin/dns"}]
    expected = [{"TemplateName": "builtin/service", "TemplateVariables": {"Name": "api"}}]
    assert templated_policies("builtin/service", "", ["name:api"]) == expected
    file = tmp_path / "templates.hcl"
    file.write_text('TemplatedPolicies "builtin/service" {\n  Name = "api"\n}\n')
    assert templated_policies("", str(file), []) == expected
    for words in (("a", "b", []), ("", "", ["name:x"]), ("a", "", ["x"])):
        with pytest.raises(UsageError):
            templated_policies(*words)


def test_merging_replaces_equal_links_and_adds_the_others() -> None:
    old = [{"ID": "1", "Name": "a"}, {"ID": "2", "Name": "b"}]
    assert merged(old, [{"Name": "b"}, {"ID": "1"}, {"Name": "c"}], "ID", "Name") == [*old, {"Name": "c"}]
    services = [{"ServiceName": "web", "Datacenters": ["dc1"]}]
    assert merged(services, [{"ServiceName": "web"}], "ServiceName") == [{"ServiceName": "web"}]
    assert merged(None, [{"ID": "1"}], "ID") == [{"ID": "1"}]
