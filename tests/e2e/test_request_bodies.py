"""Bodies as client libraries send them, and hostile ones, on a running agent: what becomes of them over every route."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from support.agent_process import AgentProcess, running_agent

# What Go's client sends for a check: every field, nulls and empty ones too.
GO_DEFINITION = {
    "HTTP": "", "Header": None, "Method": "", "Body": "", "TLSServerName": "", "TLSSkipVerify": False, "TCP": "10.9.9.9:5432",
    "TCPUseTLS": False, "UDP": "", "GRPC": "", "OSService": "", "GRPCUseTLS": False, "Interval": "1m30s", "Timeout": "5s",
    "DeregisterCriticalServiceAfter": "0s",
}  # fmt: skip
GO_CHECK = {
    "Node": "ext", "CheckID": "db", "Name": "db", "Status": "passing", "Notes": "", "Output": "", "ServiceID": "",
    "ServiceName": "",
    "ServiceTags": None, "Type": "", "ExposedPort": 0, "Definition": GO_DEFINITION, "CreateIndex": 0, "ModifyIndex": 0,
}  # fmt: skip
GO_SERVICE = {
    "ID": "db1", "Service": "db", "Tags": None, "Meta": None, "Port": 5432, "Address": "",
    "Weights": {"Passing": 0, "Warning": 0}, "EnableTagOverride": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent() as process:
        yield process


def test_a_catalog_registration_of_the_go_client(agent: AgentProcess) -> None:
    body = {
        "ID": "", "Node": "ext", "Address": "10.9.9.9", "TaggedAddresses": None, "NodeMeta": {"external-node": "true"},
        "Datacenter": "", "Service": GO_SERVICE, "Check": None, "Checks": [GO_CHECK], "SkipNodeUpdate": False,
    }  # fmt: skip
    assert agent.put("/v1/catalog/register", body) is True
    [check] = agent.get("/v1/health/node/ext")
    assert check["Definition"] == {"Interval": "1m30s", "Timeout": "5s", "TCP": "10.9.9.9:5432"}
    assert (check["Type"], check["ExposedPort"]) == ("tcp", 0)
    service = agent.get("/v1/catalog/node/ext")["Services"]["db1"]
    assert service["Weights"] == {"Passing": 1, "Warning": 1}
    assert service["Proxy"] == {"Mode": "", "MeshGateway": {}, "Expose": {}}
    assert (service["Connect"], service["PeerName"]) == ({}, "")
    [row] = agent.get("/v1/catalog/service/db")
    assert (row["ServiceKind"], row["ServiceConnect"], row["ServiceLocality"]) == ("", {}, None)


def test_a_transaction_of_the_go_client(agent: AgentProcess) -> None:
    operations: list[dict[str, Any]] = [
        {
            "KV": None,
            "Node": {"Verb": "set", "Node": {"Node": "ext", "Address": "10.9.9.9", "Meta": None}},
            "Service": None,
        },
        {"Check": {"Verb": "set", "Check": GO_CHECK}},
        {"Check": {"Verb": "get", "Check": {"Node": "ext", "CheckID": "db"}}},
    ]
    results = agent.put("/v1/txn", operations)["Results"]
    assert [next(iter(one)) for one in results] == ["Node", "Check", "Check"]
    assert results[2]["Check"]["Definition"]["Interval"] == "1m30s"
    assert results[2]["Check"]["ServiceTags"] is None


@pytest.mark.parametrize(
    ("body", "node_checks"),
    [
        ({"Checks": None}, []),
        ({"NodeChecks": None}, None),
        ({"NodeChecks": []}, []),
        ({}, ["serfHealth"]),
        (None, ["serfHealth"]),
    ],
)
def test_the_checks_of_a_session(agent: AgentProcess, body: Any, node_checks: list[str] | None) -> None:
    session = agent.put("/v1/session/create", body)["ID"]
    assert agent.get(f"/v1/session/info/{session}")[0]["NodeChecks"] == node_checks


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/session/create", b'{"LockDelay": 1e300}'),
        ("/v1/session/create", b'{"LockDelay": 1e400}'),
        ("/v1/agent/check/register", b'{"Name": "c", "TTL": "10s", "OutputMaxSize": 1e25}'),
        ("/v1/agent/check/register", b'{"Name": "c", "TTL": "10s", "FailuresBeforeCritical": 9223372036854775808}'),
        ("/v1/agent/service/register", b'{"Name": "s", "Port": 1e300}'),
        ("/v1/agent/service/register", b'{"Name": "s", "Weights": {"Passing": 99999999999999999999}}'),
        ("/v1/agent/service/register", b'{"service": {"name": "s", "port": 99999999999999999999}}'),
        ("/v1/agent/service/register", b'{"service": {"name": "s", "check": {"ttl": "1s", "output_max_size": 1e30}}}'),
        (
            "/v1/catalog/register",
            b'{"Node": "a", "Address": "b", "Service": {"Service": "s", "Port": 18446744073709551616}}',
        ),
        (
            "/v1/catalog/register",
            b'{"Node": "a", "Address": "b", "Check": {"Name": "c", "Definition": {"Interval": "bad"}}}',
        ),
        ("/v1/txn", b'[{"KV": {"Verb": "set", "Key": "k", "Flags": 18446744073709551616}}]'),
        (
            "/v1/txn",
            b'[{"Check": {"Verb": "set", "Check": {"Node": "a", "Name": "c", "Definition": {"Timeout": 1e25}}}}]',
        ),
        ("/v1/catalog/register", b'{"Node": "a", "Address": "b", "Namespace": "x"}'),
        ("/v1/agent/service/register", b'{"Name": "s", "Partition": "x"}'),
        ("/v1/agent/service/register", b'{"Name": "s", "Kind": "connect-proxy"}'),
        ("/v1/agent/service/register", b'{"Name": "s", "Connect": {"SidecarService": {"Port": 1}}}'),
    ],
)
def test_values_that_no_go_type_holds_are_refused(agent: AgentProcess, path: str, body: bytes) -> None:
    status, _, text = agent.request("PUT", path, body)
    assert status == 400, text


def test_half_a_surrogate_pair_becomes_the_replacement_character(agent: AgentProcess) -> None:
    value = base64.b64encode(b"v").decode()
    assert agent.request("PUT", "/v1/agent/service/register", b'{"Name": "half", "Tags": ["a\\ud800"]}')[0] == 200
    assert (
        agent.request("PUT", "/v1/agent/service/register", b'{"service": {"name": "file", "tags": ["b\\udfff"]}}')[0]
        == 200
    )
    assert (
        agent.request(
            "PUT", "/v1/txn", b'[{"KV": {"Verb": "set", "Key": "s\\ud800", "Value": "%s"}}]' % value.encode()
        )[0]
        == 200
    )
    assert agent.request("PUT", "/v1/catalog/register", b'{"Node": "n\\ud800", "Address": "10.0.0.1"}')[0] == 200
    assert agent.request("POST", "/v1/query", b'{"Name": "q\\ud800", "Service": {"Service": "x"}}')[0] == 200
    held = agent.get("/v1/agent/services")
    assert (held["half"]["Tags"], held["file"]["Tags"]) == (["a\ufffd"], ["b\ufffd"])
    assert agent.get("/v1/kv/s?keys") == ["s\ufffd"]
    assert "n\ufffd" in [node["Node"] for node in agent.get("/v1/catalog/nodes")]


CONTROL = "a\nb"
REGISTRATIONS: list[tuple[str, Any]] = [
    ("/v1/agent/service/register", {"Name": CONTROL}),
    ("/v1/agent/service/register", {"Name": "s", "ID": CONTROL}),
    ("/v1/agent/service/register", {"Name": "s", "Tags": ["ok", CONTROL]}),
    ("/v1/agent/service/register", {"Name": "s", "Meta": {"k": CONTROL}}),
    ("/v1/agent/service/register", {"Name": "s", "Address": CONTROL}),
    ("/v1/agent/service/register", {"Name": "s", "TaggedAddresses": {"lan": {"Address": CONTROL}}}),
    ("/v1/agent/service/register", {"Name": "s", "Check": {"CheckID": CONTROL, "TTL": "9s"}}),
    ("/v1/agent/service/register", {"service": {"name": "s", "tags": [CONTROL]}}),
    ("/v1/agent/check/register", {"Name": CONTROL, "TTL": "9s"}),
    ("/v1/catalog/register", {"Node": CONTROL, "Address": "10.0.0.1"}),
    ("/v1/catalog/register", {"Node": "c", "Address": CONTROL}),
    ("/v1/catalog/register", {"Node": "c", "Address": "10.0.0.1", "NodeMeta": {"k": CONTROL}}),
    ("/v1/catalog/register", {"Node": "c", "Address": "10.0.0.1", "Service": {"Service": "s", "Tags": [CONTROL]}}),
    ("/v1/catalog/register", {"Node": "c", "Address": "10.0.0.1", "Service": {"Service": "s", "Meta": {CONTROL: "v"}}}),
    ("/v1/catalog/register", {"Node": "c", "Address": "10.0.0.1", "Check": {"Name": CONTROL}}),
    ("/v1/txn", [{"Node": {"Verb": "set", "Node": {"Node": CONTROL, "Address": "10.0.0.1"}}}]),
    ("/v1/txn", [{"Service": {"Verb": "set", "Node": "n1", "Service": {"Service": "s", "Tags": ["\x85"]}}}]),
    ("/v1/txn", [{"Check": {"Verb": "set", "Check": {"Node": "n1", "Name": "\u2028"}}}]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body"), REGISTRATIONS)
def test_control_characters_are_refused(agent: AgentProcess, path: str, body: Any) -> None:
    status, _, text = agent.request("PUT", path, body)
    assert status == 400
    assert b"control character U+" in text or b"invalid characters" in text, text


def test_a_setting_allows_control_characters() -> None:
    with running_agent(allow_control_characters=True, services=[{"name": "file", "tags": ["x\ty"]}]) as lax:
        for path, body in REGISTRATIONS:
            if "NodeMeta" not in str(body):
                status, _, text = lax.request("PUT", path, body)
                assert status == 200, (body, text)
        assert lax.get("/v1/agent/services")["file"]["Tags"] == ["x\ty"]


def test_the_locality_of_instances_is_kept(agent: AgentProcess) -> None:
    place = {"Region": "us-west-1", "Zone": "us-west-1a"}
    agent.put("/v1/agent/service/register", {"Name": "placed", "Locality": place})
    agent.put(
        "/v1/catalog/register", {"Node": "p", "Address": "10.0.0.1", "Service": {"Service": "set", "Locality": place}}
    )
    assert agent.get("/v1/agent/services")["placed"]["Locality"] == place
    assert [row["ServiceLocality"] for row in agent.get("/v1/catalog/service/placed")] == [place]
    assert [row["Service"]["Locality"] for row in agent.get("/v1/health/service/set")] == [place]


def test_health_names_its_query_backend(agent: AgentProcess) -> None:
    assert agent.request("GET", "/v1/health/service/consul")[1]["x-consul-query-backend"] == "blocking-query"


@pytest.mark.parametrize("key", ["Namespace", "partition"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/session/create", {"Name": "x"}),
        ("/v1/agent/service/register", {"Name": "x"}),
        ("/v1/agent/check/register", {"Name": "x", "TTL": "10s"}),
        ("/v1/catalog/register", {"Node": "x", "Address": "1.1.1.1"}),
    ],
)
def test_keys_of_consul_enterprise_are_refused(agent: AgentProcess, path: str, body: dict[str, str], key: str) -> None:
    status, _, text = agent.request("PUT", path, body | {key: "team"})
    assert status == 400
    assert b'unknown field "' + key.encode() + b'"' in text
