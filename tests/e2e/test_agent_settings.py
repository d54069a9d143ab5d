"""`pyconsul agent` as a program: flags, mistakes, pid file and log file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.agent_process import STOPPED, AgentProcess, running_agent
from support.eventually import eventually
from support.ports import free_ports
from support.raw_http import Raw

PROGRAM = [
    sys.executable,
    "-c",
    "import sys; from pyconsul.cli.commands.agent.run import main; sys.exit(main(sys.argv[1:]))",
]


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *argv], capture_output=True, text=True, timeout=60, check=False)


def alive(process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the agent exited"
    return True


def test_mistakes_exit_with_1_and_a_line_each() -> None:
    done = run("-dev", "-http-port=x", "-node=a/b")
    assert (done.returncode, done.stdout) == (1, "")
    assert [line[:4] for line in done.stderr.splitlines()] == ["==> ", "==> "]


def test_an_unknown_flag_suggests_the_nearest() -> None:
    done = run("--enable-script-check")
    assert done.returncode == 1
    assert "did you mean -enable-script-checks?" in done.stderr


def test_help_lists_every_flag() -> None:
    done = run("-help")
    assert done.returncode == 0
    assert "-http-port=<number>" in done.stdout
    assert "\n  -dev  " in done.stdout


def test_an_agent_starts_writes_its_pid_and_log_and_stops(tmp_path: Path) -> None:
    names = ("http-port", "dns-port", "serf-lan-port", "serf-wan-port", "server-port")
    ports = [f"-{name}={port}" for name, port in zip(names, free_ports(5), strict=True)]
    pid, log = tmp_path / "pid", tmp_path / "agent.log"
    argv = ["-dev", *ports, f"-pid-file={pid}", f"-log-file={log}", "-primary-gateway=x"]
    process = subprocess.Popen([*PROGRAM, *argv], stdout=subprocess.DEVNULL, cwd=tmp_path)
    try:
        eventually(lambda: alive(process) and pid.exists() and pid.read_text() == f"{process.pid}\n")
        eventually(lambda: alive(process) and "Agent started: mode=development" in log.read_text())
        assert "[WARN]  agent: not supported, without effect: -primary-gateway (" in log.read_text()
    finally:
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == STOPPED
    assert not pid.exists()


@pytest.mark.parametrize(
    ("number", "settings", "status"),
    [
        (signal.SIGTERM, {}, 1),
        (signal.SIGTERM, {"leave_on_terminate": True}, 0),
        (signal.SIGINT, {}, 1),
        (signal.SIGINT, {"skip_leave_on_interrupt": False}, 0),
    ],
)
@pytest.mark.single_server("a client agent leaves on SIGINT", mode="client")
def test_the_exit_status_says_whether_a_server_left(number: int, settings: dict[str, bool], status: int) -> None:
    with running_agent(**settings) as agent:
        assert agent.process is not None
        agent.process.send_signal(number)
        assert agent.process.wait(30) == status
        warnings = [line for line in agent.log().splitlines() if "not supported" in line]
        assert not [name for name in settings for line in warnings if name in line]


def test_a_single_server_is_a_server_although_no_setting_says_so(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path, tmp_path / "data")
    settings = json.loads(agent.config_file.read_text())
    del settings["server"], settings["bootstrap_expect"]
    agent.config_file.write_text(json.dumps(settings))
    agent.start()
    assert agent.stop() == STOPPED


@pytest.mark.single_server("the limits of the server that answers stay")
def test_limits_of_requests_hold_for_cached_responses_too_and_follow_a_reload() -> None:
    limits = {"mode": "enforcing", "read_rate": 1, "write_rate": 0}
    with running_agent(limits={"request_limits": limits}) as agent:
        statuses = [agent.request("GET", "/v1/catalog/nodes")[0] for _ in range(40)]
        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert agent.request("PUT", "/v1/kv/a", b"x")[0] == 503
        assert agent.request("PUT", "/v1/agent/service/register", {"Name": "web"})[0] == 200
        settings = json.loads(agent.config_file.read_text())
        del settings["limits"]
        agent.config_file.write_text(json.dumps(settings))
        assert agent.request("PUT", "/v1/agent/reload")[0] == 200
        assert {agent.request("GET", "/v1/catalog/nodes")[0] for _ in range(40)} == {200}


def test_the_limit_of_connections_per_client_follows_a_reload() -> None:
    with running_agent(limits={"http_max_conns_per_client": 3}) as agent, ExitStack() as stack:
        kept = [stack.enter_context(Raw(agent.http_port)) for _ in range(3)]
        assert [raw.ask("GET /v1/status/leader").status for raw in kept] == [200] * 3
        with Raw(agent.http_port) as fourth:
            assert fourth.ask("GET /v1/status/leader").status == 429
        settings = json.loads(agent.config_file.read_text())
        settings["limits"]["http_max_conns_per_client"] = 4
        agent.config_file.write_text(json.dumps(settings))
        assert kept[0].ask("PUT /v1/agent/reload", "Content-Length: 0").status == 200
        fourth = stack.enter_context(Raw(agent.http_port))
        assert fourth.ask("GET /v1/status/leader").status == 200
        with Raw(agent.http_port) as fifth:
            assert fifth.ask("GET /v1/status/leader").status == 429
