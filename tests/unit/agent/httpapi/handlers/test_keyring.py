"""/v1/operator/keyring over a scripted keyring."""

from __future__ import annotations

import json

import pytest
from support.http_api import Api
from support.scripted_pool import ScriptedPool, server

from pyconsul.agent.gossip.serf.effects import KeyReport

KEY = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s="
BODY = json.dumps({"Key": KEY}).encode()


async def test_keys_are_listed_with_the_number_of_members_that_have_them() -> None:
    one = Api()
    one.pool.keyring.report = KeyReport(members=2, responses=2, keys={KEY: 2}, primary_keys={KEY: 1})
    expected = {
        "WAN": False,
        "Datacenter": "dc1",
        "Segment": "",
        "Keys": {KEY: 2},
        "PrimaryKeys": {KEY: 1},
        "NumNodes": 2,
    }
    assert await one.json("/v1/operator/keyring?relay-factor=3") == [expected]
    assert await one.json("/v1/operator/keyring?local-only=true") == [expected]
    assert one.pool.keyring.calls == [("list", "", 3), ("list", "", 0)]


@pytest.mark.parametrize(("method", "operation"), [("POST", "install"), ("PUT", "use"), ("DELETE", "remove")])
async def test_keys_are_changed_on_all_members(method: str, operation: str) -> None:
    one = Api()
    assert await one.text(method, "/v1/operator/keyring?relay-factor=1", BODY) == (200, "")
    assert one.pool.keyring.calls == [(operation, KEY, 1)]


@pytest.mark.parametrize(
    ("method", "query", "text"),
    [
        ("GET", "local-only=perhaps", 'Error parsing local-only: strconv.ParseBool: parsing "perhaps": invalid syntax'),
        ("GET", "relay-factor=6", "Invalid relay-factor: Relay factor must be in range: [0, 5]"),
        ("GET", "relay-factor=-1", "Invalid relay-factor: Relay factor must be in range: [0, 5]"),
        ("GET", "relay-factor=x", 'Error parsing relay factor: strconv.Atoi: parsing "x": invalid syntax'),
        ("PUT", "local-only=1", "Error validating local-only: local-only can only be set for list requests"),
    ],
)
async def test_parameters_that_are_refused(method: str, query: str, text: str) -> None:
    one = Api()
    assert await one.text(method, f"/v1/operator/keyring?{query}", BODY) == (400, text)
    assert one.pool.keyring.calls == []


async def test_a_key_that_is_not_base64() -> None:
    text = "2 errors occurred:\n\t* WAN error: illegal base64 data at input byte 0\n"
    text += "\t* dc1 (LAN) error: illegal base64 data at input byte 0\n\n"
    one = Api(wan=ScriptedPool(server("s1.dc1")))
    assert await one.text("POST", "/v1/operator/keyring", b'{"Key": "***"}') == (500, text)


async def test_members_that_fail_are_named() -> None:
    one = Api()
    problem = "Requested key is not in the keyring"
    one.pool.keyring.report = KeyReport(2, 2, 2, messages={"s1": problem, "c1": problem})
    text = (
        f"3 errors occurred:\n\t* dc1 (LAN) error: 2/2 nodes reported failure\n\t* c1: {problem}\n\t* s1: {problem}\n\n"
    )
    assert await one.text("PUT", "/v1/operator/keyring", BODY) == (500, text)


async def test_members_that_do_not_answer_make_a_list_fail() -> None:
    one = Api()
    one.pool.keyring.report = KeyReport(members=3, responses=2, keys={KEY: 2})
    text = "1 error occurred:\n\t* dc1 (LAN) error: 2/3 nodes reported success\n\n"
    assert await one.text("GET", "/v1/operator/keyring") == (500, text)


async def test_the_keys_of_the_wan_pool_come_first() -> None:
    one = Api(wan=ScriptedPool(server("s1.dc1")))
    one.pool.keyring.report = KeyReport(members=2, responses=2, keys={KEY: 2}, primary_keys={KEY: 2})
    one.wan.keyring.report = KeyReport(members=1, responses=1, keys={KEY: 1}, primary_keys={KEY: 1})
    found = await one.json("/v1/operator/keyring")
    assert [(pool["WAN"], pool["Datacenter"], pool["NumNodes"]) for pool in found] == [
        (True, "dc1", 1),
        (False, "dc1", 2),
    ]
    assert await one.text("POST", "/v1/operator/keyring", BODY) == (200, "")
    assert one.wan.keyring.calls == one.pool.keyring.calls == [("list", "", 0), ("install", KEY, 0)]


async def test_every_pool_that_fails_reports_it() -> None:
    one = Api(wan=ScriptedPool(server("s1.dc1")))
    problem = "Keyring is empty (encryption not enabled)"
    one.pool.keyring.report = KeyReport(1, 1, 1, messages={"s1": problem})
    one.wan.keyring.report = KeyReport(1, 1, 1, messages={"s1.dc1": problem})
    lan = f"\t* dc1 (LAN) error: 1/1 nodes reported failure\n\t* s1: {problem}\n\n"
    wan = f"\t* WAN error: 1/1 nodes reported failure\n\t* s1.dc1: {problem}\n"
    assert await one.text("GET", "/v1/operator/keyring") == (500, f"4 errors occurred:\n{wan}{lan}")
    assert await one.text("GET", "/v1/operator/keyring?local-only=1") == (500, f"2 errors occurred:\n{lan}")


async def test_keys_of_another_datacenter_are_not_those_of_this_one() -> None:
    one = Api()
    for method in ("GET", "PUT"):
        assert await one.text(method, "/v1/operator/keyring?dc=dc2", BODY) == (500, "No path to datacenter")
    assert one.pool.keyring.calls == []
