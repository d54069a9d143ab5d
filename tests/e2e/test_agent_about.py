"""What a real agent says about itself, in the forms that tools read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.agent_process import AgentProcess, running_agent

SECRET = "2b778dd9-f5f1-6f29-b4b4-9a5fa948757a"


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    services = [{"name": "web", "token": SECRET}]
    tokens = {"tokens": {"default": SECRET}}
    with running_agent(services=services, acl=tokens, telemetry={"prometheus_retention_time": "60s"}) as process:
        yield process


@pytest.mark.single_server("counts the nodes")
def test_numbers_for_prometheus(agent: AgentProcess) -> None:
    status, headers, body = agent.request("GET", "/v1/agent/metrics?format=prometheus")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = body.decode().splitlines()
    assert "consul_agent_services 1.0" in lines
    assert "consul_state_nodes 1.0" in lines


def test_prometheus_gets_nothing_without_a_retention_time() -> None:
    with running_agent() as agent:
        status, headers, body = agent.request("GET", "/v1/agent/metrics?format=prometheus")
        assert (status, headers["content-type"], body) == (200, "application/json", b"")


@pytest.mark.single_server("counts the services")
def test_numbers_as_json(agent: AgentProcess) -> None:
    gauges = {one["Name"]: one["Value"] for one in agent.get("/v1/agent/metrics")["Gauges"]}
    assert gauges["consul.state.service_instances"] == 2
    assert gauges["consul.state.checks.passing"] == 1
    assert gauges["consul.runtime.resident_bytes"] > 0
    assert gauges["consul.runtime.loop_lag_max_ms"] >= gauges["consul.runtime.loop_lag_ms"] >= 0


def test_no_secret_is_shown(agent: AgentProcess) -> None:
    _, _, body = agent.request("GET", "/v1/agent/self")
    assert SECRET.encode() not in body
    assert json.loads(body)["DebugConfig"]["ACL"]["Tokens"]["Default"] == "hidden"
    assert SECRET not in agent.log()


def test_credentials_of_checks_and_watches_are_hidden() -> None:
    secrets = ["s3-header", "s3-body", "s3-url", "s3-watch", "s3-service", "s3-token"]
    check = {
        "name": "api",
        "http": "http://admin:s3-url@127.0.0.1:9/health?x=1",
        "method": "POST",
        "header": {"X-Api-Key": ["s3-header"]},
        "body": "s3-body",
        "interval": "1h",
    }
    watch = {
        "type": "key",
        "key": "a",
        "token": "s3-token",
        "handler_type": "http",
        "http_handler_config": {"path": "http://127.0.0.1:9/", "header": {"Authorization": ["s3-watch"]}},
    }
    services = [{"name": "web", "token": "s3-service", "check": check}]
    with running_agent(services=services, watches=[watch]) as process:
        _, _, body = process.request("GET", "/v1/agent/self")
        assert [secret for secret in secrets if secret.encode() in body] == []
        assert b"http://hidden@127.0.0.1:9/health?x=1" in body


def test_every_answer_can_be_made_pretty(agent: AgentProcess) -> None:
    _, _, body = agent.request("GET", "/v1/agent/services?pretty")
    assert body.startswith(b'{\n    "web": {\n')
    assert body.endswith(b"}\n")


def test_the_host(agent: AgentProcess) -> None:
    host = agent.get("/v1/agent/host")
    assert host["Memory"]["total"] >= host["Memory"]["available"] > 0
    assert host["Disk"]["total"] > 0
    assert host["CPU"]


def test_members_and_self_agree(agent: AgentProcess) -> None:
    (member,) = (member for member in agent.get("/v1/agent/members") if member["Name"] == "n1")
    own = agent.get("/v1/agent/self")
    assert own["Member"] == member
    assert member["Tags"]["id"] == own["Config"]["NodeID"]
    assert agent.get("/v1/catalog/node/n1")["Node"]["ID"] == own["Config"]["NodeID"]


def test_a_reader_of_events_wakes(agent: AgentProcess) -> None:
    _, headers, _ = agent.request("GET", "/v1/event/list?name=deploy")
    found: list[Any] = []
    path = f"/v1/event/list?name=deploy&index={headers['x-consul-index']}&wait=60s"
    reader = threading.Thread(target=lambda: found.extend(agent.get(path)))
    reader.start()
    agent.put("/v1/event/fire/other", b"not this one")
    fired = agent.put("/v1/event/fire/deploy", b"v1")
    reader.join(30)
    assert [event["ID"] for event in found] == [fired["ID"]]


def test_a_reader_of_a_service_wakes_when_its_hash_changes(agent: AgentProcess) -> None:
    agent.put("/v1/agent/service/register", {"Name": "hashed", "Port": 1})
    known = agent.get("/v1/agent/service/hashed")["ContentHash"]
    found: list[Any] = []
    path = f"/v1/agent/service/hashed?hash={known}&wait=60s"
    reader = threading.Thread(target=lambda: found.append(agent.get(path)))
    reader.start()
    agent.put("/v1/agent/service/register", {"Name": "other"})
    agent.put("/v1/agent/service/register", {"Name": "hashed", "Port": 2})
    reader.join(30)
    assert [service["Port"] for service in found] == [2]
