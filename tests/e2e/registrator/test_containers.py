"""Containers of a real engine as services of a real agent: what goes beyond the recorded cases."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from support.agent_process import AgentProcess, StartAgent
from support.container_engine import ContainerEngine
from support.eventually import eventually
from support.ports import free_ports
from support.registrator import (
    PYCONSUL,
    Registrator,
    agree,
    create,
    execute,
    registered,
    serve,
    start,
)

Start = Callable[..., Registrator]


def checks(agent: AgentProcess, service: str) -> dict[str, tuple[str, str]]:
    """Return status and output, or the reason of maintenance, of the checks of a service."""
    found = agent.get("/v1/agent/checks").values()
    return {
        one["CheckID"]: (one["Status"], one["Output"] or one["Notes"]) for one in found if one["ServiceID"] == service
    }


def test_containers_come_and_go(engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str) -> None:
    tool = registrator()
    serve(engine, "one")
    agree(engine, agent, host, tool)
    serve(engine, "two", ports=["127.0.0.1::80", "127.0.0.1::53/udp"], env=["SERVICE_NAME=shop"])
    eventually(lambda: {f"{host}:two:53:udp", f"{host}:two:80"} <= registered(agent).keys())
    assert agent.get(f"/v1/agent/service/{host}:two:80")["Service"] == "shop-80"
    engine.remove("two")
    agree(engine, agent, host, tool)
    engine.remove("one")
    eventually(lambda: registered(agent) == {})


def test_healthcheck_is_a_check(engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str) -> None:
    registrator()
    serve(engine, "web")
    check = f"service:{host}:web:80:healthcheck"
    eventually(lambda: checks(agent, f"{host}:web:80").get(check) == ("passing", "HEALTHCHECK: healthy\nfine"))
    execute(engine, "web", "/bin/rm", "/tmp/healthy")
    eventually(lambda: checks(agent, f"{host}:web:80")[check][0] == "critical")
    execute(engine, "web", "/bin/touch", "/tmp/healthy")
    eventually(lambda: checks(agent, f"{host}:web:80")[check][0] == "passing")


def test_a_container_that_is_stopped_is_in_maintenance_at_once(
    engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str
) -> None:
    registrator()
    serve(engine, "web")
    service = f"{host}:web:80"
    eventually(lambda: service in registered(agent))
    stopping = subprocess.Popen(
        ["curl", "-s", "-X", "POST", "--unix-socket", str(engine.socket), "http://engine/containers/web/stop"]
    )
    maintenance = f"_service_maintenance:{service}"
    eventually(lambda: maintenance in checks(agent, service), "it serves for a second after SIGTERM")
    assert checks(agent, service)[maintenance][1] == "pyconsul registrator: the container is being stopped"
    eventually(lambda: registered(agent) == {})
    assert stopping.wait(20) == 0
    start(engine, "web")
    eventually(lambda: list(registered(agent)) == [service])
    assert maintenance not in checks(agent, service)


def test_drain(engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str) -> None:
    tool = registrator()
    serve(engine, "web", health=())
    service = f"{host}:web:80"
    eventually(lambda: service in registered(agent))

    def drain(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [PYCONSUL, "registrator", "drain", *words, "-consul", f"consul://{agent.address}"]
        return subprocess.run(argv, env=tool.environ, capture_output=True, text=True, timeout=30, check=False)

    done = drain("web", "-wait", "0s")
    assert (done.stderr, done.stdout) == ("", f"{service}: in maintenance, gets no new requests\n")
    maintenance = f"_service_maintenance:{service}"
    assert checks(agent, service)[maintenance][1] == "pyconsul registrator drain"
    create(engine, "other", ports=["127.0.0.1::80"])  # the maintenance outlives other looks
    start(engine, "other")
    eventually(lambda: f"{host}:other:80" in registered(agent))
    assert maintenance in checks(agent, service)
    assert drain("web", "-undo").returncode == 0
    assert maintenance not in checks(agent, service)
    assert drain("web", "-wait", "10ms", "-stop").stdout.endswith("container web has been stopped\n")
    eventually(lambda: service not in registered(agent))
    missing = drain("nothing")
    assert (missing.returncode, "no container 'nothing'" in missing.stderr) == (1, True)


def test_networks_and_pauses_are_followed(
    engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str
) -> None:
    registrator("-network", "net1")
    pool = {"Config": [{"Subnet": "172.27.3.0/24"}]}
    engine.done("POST", "/networks/create", {"Name": "shop_net1", "Driver": "bridge", "IPAM": pool})
    try:
        labels = {"com.docker.compose.project": "shop"}
        create(engine, "web", ports=["127.0.0.1::80"], labels=labels)
        start(engine, "web")
        engine.done("POST", "/networks/shop_net1/connect", {"Container": "web"})
        eventually(lambda: [port for _, port in registered(agent).values()] == [80])
        assert registered(agent)[f"{host}:web:80"][0].startswith("172.27.3.")
        engine.done("POST", "/containers/web/pause")
        eventually(lambda: len(checks(agent, f"{host}:web:80")) == 1)
        engine.done("POST", "/containers/web/unpause")
        eventually(lambda: checks(agent, f"{host}:web:80") == {})
        engine.done("POST", "/networks/shop_net1/disconnect", {"Container": "web", "Force": True})
        eventually(lambda: registered(agent) == {})
    finally:
        engine.clear()
        engine.done("DELETE", "/networks/shop_net1")


def test_malformed_settings(engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str) -> None:
    tool = registrator()
    env = [
        "SERVICE_CHECK_TCP=1",
        "SERVICE_CHECK_INTERVAL=often",
        "SERVICE_99_NAME=x",
        "SERVICE_CHECK_FTP=x",
        "SERVICE_a.b=c",
    ]
    create(engine, "web", ports=["127.0.0.1::80"], env=env)
    start(engine, "web")
    eventually(lambda: f"{host}:web:80" in registered(agent), tool.log)
    (check,) = agent.get("/v1/agent/checks").values()
    assert check["Interval"] == "10s"
    for variable in ("SERVICE_CHECK_INTERVAL=often: not a duration", "SERVICE_99_NAME: the container has no port 99",
                     "SERVICE_CHECK_FTP: unknown check setting", "SERVICE_a.b: allowed in keys are"):  # fmt: skip
        assert tool.log().count(f"container web: {variable}") == 1


def test_a_check_that_the_agent_does_not_run(
    engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str
) -> None:
    registrator()
    create(engine, "web", ports=["127.0.0.1::80"], env=["SERVICE_CHECK_SCRIPT=true"])
    start(engine, "web")
    eventually(lambda: f"{host}:web:80" in registered(agent))
    (check,) = agent.get("/v1/agent/checks").values()
    assert check["Status"] == "critical"
    assert "The agent refused the check" in check["Notes"]


def test_the_status_pages(engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str) -> None:
    (port,) = free_ports(1)
    registrator("-status-addr", f"127.0.0.1:{port}")
    serve(engine, "web")
    create(engine, "inside")
    start(engine, "inside")
    eventually(lambda: f"{host}:web:80" in registered(agent))

    def page(path: str) -> str:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer,
        ):
            return str(answer.read().decode())
        return ""

    eventually(lambda: "exposes no port" in page("/explain?container=inside"))
    health = json.loads(page("/health"))
    assert (health["status"], health["services"]) == ("ok", 1)
    (inside,) = json.loads(page("/explain?container=inside"))
    assert inside["not_registered"] == ["it exposes no port (EXPOSE, --expose or -p)"]
    assert f"ID {host}:web:80" in page("/explain?format=text")
    assert "pyconsul_registrator_services 1.0" in page("/metrics")
    assert 'pyconsul_registrator_up{connection="the engine"} 1.0' in page("/metrics")


def test_a_dry_run_writes_nothing(engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str) -> None:
    create(engine, "web", ports=["127.0.0.1::80"])
    start(engine, "web")
    tool = registrator("-dry-run")
    assert tool.process is not None
    assert tool.process.wait(30) == 0
    assert f"\nregister {host}:web:80: service=small address=127.0.0.1:" in f"\n{tool.log()}"
    assert registered(agent) == {}


@pytest.mark.parametrize("flags", [("-ttl", "10", "-ttl-refresh", "1")])
def test_the_ttl(
    engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str, flags: tuple[str, ...]
) -> None:
    tool = registrator(*flags)
    create(engine, "web", ports=["127.0.0.1::80"])
    start(engine, "web")
    check = f"service:{host}:web:80:registrator"
    eventually(lambda: checks(agent, f"{host}:web:80").get(check, ("",))[0] == "passing")
    assert agent.get("/v1/agent/checks")[check]["Type"] == "ttl"
    assert tool.is_alive


def test_keys_end_with_their_registrator(
    engine: ContainerEngine, agent: AgentProcess, registrator: Start, host: str
) -> None:
    uri = f"consulkv://{agent.address}/my/services"
    tool = registrator("-ttl", "10", "-ttl-refresh", "1", uri=uri)
    create(engine, "web", ports=["127.0.0.1::80"])
    start(engine, "web")

    def keys() -> dict[str, str]:
        status, _, body = agent.request("GET", "/v1/kv/my/services?recurse")
        return {one["Key"]: one.get("Session", "") for one in json.loads(body)} if status == 200 else {}

    eventually(lambda: list(keys()) == [f"my/services/small/{host}:web:80"])
    (session,) = keys().values()
    assert agent.get(f"/v1/session/info/{session}")[0]["TTL"] == "10s"
    tool.end()
    other = registrator("-ttl", "10", "-ttl-refresh", "1", uri=uri)
    eventually(lambda: list(keys().values()) not in ([session], []), other.log)
    agent.put(f"/v1/session/destroy/{next(iter(keys().values()))}")
    eventually(lambda: len(keys()) == 1 and session not in keys().values(), other.log)
    engine.remove("web")
    eventually(lambda: keys() == {})


def test_a_token_of_a_file_may_be_exchanged(
    engine: ContainerEngine, start_agent: StartAgent, registrator: Start, host: str, tmp_path: Path
) -> None:
    secret = "5f1c1f2e-0000-4000-8000-000000000001"
    acl = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": secret}}
    agent = start_agent(acl=acl, log_level="warn")
    file = tmp_path / "token"
    file.write_text("5f1c1f2e-0000-4000-8000-00000000dead\n")
    tool = registrator("-token-file", str(file), uri=f"consul://{agent.address}")
    create(engine, "web", ports=["127.0.0.1::80"])
    start(engine, "web")
    eventually(lambda: "ACL not found" in tool.log(), tool.log)
    file.write_text(f"{secret}\n")

    def services() -> list[str]:
        _, _, body = agent.request("GET", "/v1/agent/services", headers={"X-Consul-Token": secret})
        return list(json.loads(body))

    eventually(lambda: f"{host}:web:80" in services(), tool.log)
    assert secret not in tool.log()
