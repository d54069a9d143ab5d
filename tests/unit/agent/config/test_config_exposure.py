"""Settings that would let strangers run programs: where they refuse the start, and where they warn."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.problems import Problems
from pyconsul.agent.config.sections.acl import ACL
from pyconsul.agent.config.sections.http import HTTPConfig
from pyconsul.agent.config.sections.network import Addresses, Ports
from pyconsul.agent.config.validate import at_start, listens_locally, validate

DENY = ACL(enabled=True, default_policy="deny")
OPEN = {"enable_script_checks": True, "client_addr": "0.0.0.0"}


def config(**settings: Any) -> Config:
    return replace(Config(), node_name="n1", data_dir="d", **settings)


def allowing(*networks: str) -> dict[str, HTTPConfig]:
    return {"http_config": HTTPConfig(allow_write_http_from=networks)}


@pytest.mark.parametrize(
    ("settings", "local"),
    [
        ({}, True),
        ({"client_addr": "127.0.0.1 ::1 127.9.9.9"}, True),
        ({"client_addr": "0.0.0.0"}, False),
        ({"client_addr": "127.0.0.1 10.0.0.1"}, False),
        ({"client_addr": "0.0.0.0", "addresses": Addresses(http="unix:///run/consul.sock [::1]")}, True),
        ({"client_addr": "0.0.0.0", "ports": Ports(http=-1)}, True),
        ({"addresses": Addresses(https="10.0.0.1"), "ports": Ports(https=8501)}, False),
    ],
)
def test_where_http_listens(settings: dict[str, Any], local: bool) -> None:
    assert listens_locally(config(**settings)) is local


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"acl": ACL(enabled=True, default_policy="allow")},
        allowing("0.0.0.0/0"),
        allowing("10.0.0.0/8", "::/0"),
        allowing("0.0.0.0/1", "128.0.0.0/1"),
    ],
)
def test_scripts_for_everybody_refuse_the_start(settings: dict[str, Any]) -> None:
    (error,) = at_start(config(**OPEN, **settings))
    assert error.startswith("enable_script_checks: whoever reaches the HTTP API could run programs")


@pytest.mark.parametrize(
    "settings",
    [
        {"acl": DENY},
        allowing("10.0.0.0/8", "fd00::/8"),
        {"client_addr": "127.0.0.1"},
        {"enable_script_checks": False, "enable_local_script_checks": True},
    ],
)
def test_scripts_for_some_do_not(settings: dict[str, Any]) -> None:
    assert at_start(config(**OPEN | settings)) == []


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"enable_script_checks": True}, "DANGEROUS"),
        ({"acl": DENY, "client_addr": "10.0.0.1"}, "clear text"),
        ({"acl": DENY}, ""),
        ({"enable_script_checks": True, "acl": DENY}, ""),
        ({"client_addr": "10.0.0.1"}, ""),
    ],
)
def test_warnings(settings: dict[str, Any], word: str) -> None:
    problems = Problems()
    validate(config(**settings), {}, problems)
    found = [line for line in problems.warnings if "DANGEROUS" in line or "clear text" in line]
    assert len(found) == bool(word)
    assert not word or word in found[0]
