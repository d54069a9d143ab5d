"""The hardening lines, given an agent's settings."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pyconsul.cli.doctor.diagnosis import OK, WARNING
from pyconsul.cli.doctor.hardening import Surroundings, findings, grants_writes

HARDENED: dict[str, Any] = {
    "DataDir": "/var/lib/pyconsul",
    "ClientAddr": "127.0.0.1",
    "Ports": {"HTTP": 8500, "DNS": 8600},
    "Addresses": {"HTTP": "", "DNS": ""},
    "ACL": {"Enabled": True, "DefaultPolicy": "deny"},
    "HTTPConfig": {"AllowWriteHTTPFrom": [], "AllowedHosts": []},
    "EnableScriptChecks": False,
    "Recursors": [],
}
SAFE = Surroundings(owner=999, mode=0o700, anonymous_writes=False, management=False)


def warnings(change: dict[str, Any], surroundings: Surroundings = SAFE) -> list[str]:
    settings = copy.deepcopy(HARDENED)
    for key, value in change.items():
        section, _, name = key.rpartition(".")
        (settings[section] if section else settings)[name] = value
    return [one.what for one in findings(settings, surroundings) if one.state == WARNING]


def test_a_hardened_agent_has_no_warning() -> None:
    found = list(findings(HARDENED, SAFE))
    assert {one.state for one in found} == {OK}
    assert len(found) == 9  # a token without all privileges needs no line


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ACL.Enabled": False}, ["ACLs"]),
        ({"ACL.DefaultPolicy": "allow"}, ["ACLs"]),
        ({"ClientAddr": "0.0.0.0"}, ["HTTP", "writers"]),
        ({"ClientAddr": "127.0.0.1 10.0.0.5"}, ["HTTP", "writers"]),
        ({"ClientAddr": "0.0.0.0", "Addresses.HTTP": "127.0.0.1 unix:///run/http.sock [::1]"}, []),
        ({"ClientAddr": "0.0.0.0", "HTTPConfig.AllowWriteHTTPFrom": ["10.0.0.0/8"]}, ["HTTP"]),
        ({"ClientAddr": "0.0.0.0", "Recursors": ["9.9.9.9"], "Ports.HTTP": -1}, ["resolver"]),
        ({"HTTPConfig.AllowedHosts": ["*"]}, ["browsers"]),
        ({"EnableScriptChecks": True}, ["scripts"]),
    ],
)
def test_a_setting_that_opens_something(change: dict[str, Any], expected: list[str]) -> None:
    assert warnings(change) == expected


@pytest.mark.parametrize(
    ("surroundings", "expected"),
    [
        (Surroundings(owner=0), ["user"]),
        (Surroundings(mode=0o750), ["data folder"]),
        (Surroundings(anonymous_writes=True), ["anonymous"]),
        (Surroundings(management=True), ["privileges"]),
    ],
)
def test_a_fact_beside_the_settings(surroundings: Surroundings, expected: list[str]) -> None:
    assert warnings({}, surroundings) == expected


def test_settings_that_another_program_does_not_show_are_no_finding() -> None:
    assert list(findings({"Version": "1.21.4"}, Surroundings())) == []


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ('key_prefix "public/" { policy = "write" }', True),
        ('{"key_prefix": {"public/": {"policy": "write"}}}', True),
        ('operator = "write"', True),
        ('key_prefix "write" { policy = "read" }', False),
        ('# policy = "write"\nnode_prefix "" { policy = "read" }', False),
        ("", False),
    ],
)
def test_rules_that_allow_writes(rules: str, expected: bool) -> None:
    assert grants_writes([rules]) == expected
