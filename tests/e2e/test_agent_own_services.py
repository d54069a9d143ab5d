"""Services and checks of a real agent: from a registration to the catalog, over a restart, a reload, and the agent's end."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import STOPPED, AgentProcess, StartAgent, running_agent
from support.eventually import PATIENCE, eventually


@pytest.fixture(scope="module")
def dev() -> Iterator[AgentProcess]:
    with running_agent(enable_script_checks=True) as agent:
        yield agent


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[AgentProcess]:
    """An agent that keeps its data."""
    agent = AgentProcess(tmp_path, tmp_path / "data", node_meta={"rack": "r1"})
    yield agent.start()
    agent.stop()


def status_of(agent: AgentProcess, check_id: str) -> tuple[str, str]:
    check = agent.get("/v1/agent/checks")[check_id]
    return check["Status"], check["Output"]


def test_a_registration_is_in_the_catalog_when_it_is_answered(dev: AgentProcess) -> None:
    for number in range(20):
        dev.put("/v1/agent/service/register", {"Name": "many", "ID": f"many-{number}", "Check": {"TTL": "1m"}})
        assert len(dev.get("/v1/health/service/many")) == number + 1
        dev.put(f"/v1/agent/check/pass/service:many-{number}", b"")
        assert len(dev.get("/v1/health/service/many?passing")) == number + 1
    for number in range(20):
        dev.put(f"/v1/agent/service/deregister/many-{number}")
    assert dev.get("/v1/health/service/many") == []


def test_a_blocked_reader_of_the_catalog_wakes(dev: AgentProcess) -> None:
    dev.put("/v1/agent/service/register", {"Name": "watched", "Check": {"TTL": "1m", "Status": "passing"}})
    _, headers, _ = dev.request("GET", "/v1/health/service/watched?passing")
    found: list[Any] = []
    path = f"/v1/health/service/watched?passing&index={headers['x-consul-index']}&wait=60s"
    reader = threading.Thread(target=lambda: found.append(dev.get(path)))
    reader.start()
    dev.put("/v1/agent/check/fail/service:watched?note=down")
    reader.join(PATIENCE)
    assert found == [[]]


def test_script_and_http_checks_run(dev: AgentProcess, tmp_path: Path) -> None:
    class Backend(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *arguments: object) -> None:
            pass

    backend = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{backend.server_port}/"
    flag = tmp_path / "flag"
    script = ["sh", "-c", f"test -e {flag} && echo there"]
    dev.put("/v1/agent/check/register", {"ID": "script", "Name": "script", "Args": script, "Interval": "1s"})
    dev.put("/v1/agent/check/register", {"ID": "http", "Name": "http", "HTTP": url, "Interval": "1s"})
    try:
        eventually(lambda: status_of(dev, "http") == ("passing", f"HTTP GET {url}: 200 OK Output: ok"))
        eventually(lambda: status_of(dev, "script")[0] == "warning")
        flag.touch()
        eventually(lambda: status_of(dev, "script") == ("passing", "there\n"))
    finally:
        backend.shutdown()
        dev.put("/v1/agent/check/deregister/script")
        dev.put("/v1/agent/check/deregister/http")


def test_the_log_is_streamed(dev: AgentProcess) -> None:
    lines: list[bytes] = []
    seen = threading.Event()

    def follow() -> None:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", dev.http_port, timeout=PATIENCE)
        connection.request("GET", "/v1/agent/monitor?loglevel=debug&logjson")
        response = connection.getresponse()
        seen.set()
        lines.append(response.readline())
        connection.close()

    reader = threading.Thread(target=follow)
    reader.start()
    assert seen.wait(PATIENCE)
    dev.put("/v1/agent/reload")
    reader.join(PATIENCE)
    assert json.loads(lines[0])["@module"].startswith("agent")
    assert dev.request("GET", "/v1/agent/monitor?loglevel=loud")[0] == 400


def test_a_restart_keeps_registrations(kept: AgentProcess) -> None:
    checks = [{"CheckID": "ttl", "TTL": "10m"}, {"CheckID": "tcp", "TCP": "127.0.0.1:1", "Interval": "10m"}]
    kept.put("/v1/agent/service/register", {"Name": "web", "Port": 80, "Tags": ["a"], "Checks": checks})
    kept.put("/v1/agent/check/register", {"Name": "memory", "TTL": "10m"})
    kept.put("/v1/agent/check/pass/ttl?note=fine")
    kept.put("/v1/agent/maintenance?enable=true&reason=moving")
    kept.put("/v1/agent/service/register", {"Name": "gone"})
    kept.put("/v1/agent/service/deregister/gone")
    services, node_id = kept.get("/v1/agent/services"), kept.get("/v1/agent/self")["Config"]["NodeID"]
    assert kept.stop() == STOPPED
    kept.start()
    assert kept.get("/v1/agent/services") == services
    assert kept.get("/v1/agent/self")["Config"]["NodeID"] == node_id
    assert set(kept.get("/v1/agent/checks")) == {"ttl", "tcp", "memory", "_node_maintenance"}
    assert status_of(kept, "ttl") == ("passing", "fine")
    assert {row["ServiceID"] for row in kept.get("/v1/catalog/service/web")} == {"web"}
    assert set(kept.get("/v1/catalog/services")) == {"consul", "web"}


def test_a_restart_takes_no_healthy_service_out_of_use(kept: AgentProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        check = {"CheckID": "tcp", "TCP": f"127.0.0.1:{port}", "Interval": "10m"}
        kept.put("/v1/agent/service/register", {"Name": "web", "Port": 80, "Check": {**check, "Status": "passing"}})
        assert len(kept.get("/v1/health/service/web?passing")) == 1
        kept.kill()
        kept.start()
        assert len(kept.get("/v1/health/service/web?passing")) == 1


def test_a_registration_that_was_answered_survives_a_power_cut(kept: AgentProcess) -> None:
    for number in range(50):
        kept.put("/v1/agent/service/register", {"Name": "web", "ID": f"web-{number}", "Check": {"TTL": "1m"}})
    kept.kill()
    kept.start()
    assert len(kept.get("/v1/agent/services")) == len(kept.get("/v1/agent/checks")) == 50
    assert len(kept.get("/v1/catalog/service/web")) == 50


def test_a_signal_reloads_files(kept: AgentProcess) -> None:
    kept.put("/v1/agent/service/register", {"Name": "by-api"})
    settings = json.loads(kept.config_file.read_text())
    settings |= {"services": [{"name": "by-file", "check": {"ttl": "1m"}}], "node_meta": {"rack": "r2"}}
    kept.config_file.write_text(json.dumps(settings))
    assert kept.process is not None
    kept.process.send_signal(signal.SIGHUP)
    eventually(lambda: set(kept.get("/v1/agent/services")) == {"by-api", "by-file"})
    eventually(lambda: kept.get("/v1/catalog/nodes")[0]["Meta"]["rack"] == "r2")
    kept.config_file.write_text("{ this is not json")
    status, _, body = kept.request("PUT", "/v1/agent/reload")
    assert (status, b"agent.json" in body) == (500, True)
    del settings["services"]
    kept.config_file.write_text(json.dumps(settings))
    kept.put("/v1/agent/reload")
    assert set(kept.get("/v1/agent/services")) == {"by-api"}


def test_a_changed_file_is_read_by_itself(start_agent: StartAgent) -> None:
    agent = start_agent(auto_reload_config=True)
    settings = json.loads(agent.config_file.read_text())
    agent.config_file.write_text("{")
    eventually(lambda: "configuration unchanged" in agent.log())
    agent.config_file.write_text(json.dumps({**settings, "services": [{"name": "fresh"}]}))
    eventually(lambda: set(agent.get("/v1/agent/services")) == {"fresh"})


def test_a_definition_that_cannot_be_stops_the_start(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path, services=[{"name": "web", "weights": {"passing": 0, "warning": 1}}])
    with pytest.raises(RuntimeError, match=r"Failed to register service ..web..: Invalid Weights(.|\n)*agent\.json"):
        agent.start()


def test_leaving_ends_the_agent(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path).start()

    def wait_for_events() -> None:
        with contextlib.suppress(OSError):  # it may come too late
            agent.request("GET", "/v1/event/list?index=1&wait=60s")

    waiting = threading.Thread(target=wait_for_events)
    waiting.start()
    agent.put("/v1/agent/leave")
    assert agent.process is not None
    assert agent.process.wait(PATIENCE) == 0
    waiting.join(PATIENCE)
    assert not waiting.is_alive()


def test_the_last_results_of_checks_can_be_read(dev: AgentProcess) -> None:
    checks = [
        {"CheckID": "told", "TTL": "1m"},
        {"CheckID": "run", "Args": ["sh", "-c", "echo 812; exit 1"], "Interval": "1s"},
    ]
    dev.put("/v1/agent/service/register", {"Name": "beating", "Checks": checks})
    for report in ("pass", "fail"):
        dev.put(f"/v1/agent/check/{report}/told?note={report}ed", b"")
    path = "/v1/agent/check/results?filter=ServiceName==beating"
    eventually(lambda: dev.get(path)["run"])
    found = dev.get(path)
    assert set(found) == {"told", "run"}
    assert [(one["Status"], one["Output"]) for one in found["told"]] == [("passing", "passed"), ("critical", "failed")]
    assert found["run"][0]["Status"] == "warning"
    assert found["run"][0]["Output"].strip() == "812"
    assert found["run"][0]["Time"].endswith("Z")
    assert dev.get(path + "&node=" + dev.get("/v1/agent/self")["Config"]["NodeName"]).keys() == found.keys()
    dev.put("/v1/agent/service/deregister/beating")
    dev.put("/v1/agent/service/register", {"Name": "beating", "Check": {"CheckID": "told", "TTL": "1m"}})
    assert dev.get(path) == {"told": []}
