"""`pyconsul session`, `services list`, `health` and `doctor` against a running agent."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.agent_process import AgentProcess

Run = Callable[..., subprocess.CompletedProcess[bytes]]
PYCONSUL = str(Path(sys.executable).parent / "pyconsul")
WEB = 'service {\n  name = "watched-web"\n  port = 80\n  tags = ["v1"]\n  check { ttl = "10m" }\n}\n'


@pytest.fixture
def web(pyconsul: Run, tmp_path: Path) -> str:
    (tmp_path / "web.hcl").write_text(WEB)
    assert pyconsul("services", "register", "web.hcl").returncode == 0
    return "watched-web"


def test_sessions(pyconsul: Run) -> None:
    done = pyconsul("session", "create", "-name=mine", "-ttl=1m", "-lock-delay=0s", "-behavior=delete")
    identity = done.stdout.decode().strip()
    assert pyconsul("kv", "put", "-acquire", f"-session={identity}", "held", "x").returncode == 0
    (row,) = (line for line in pyconsul("session", "list").stdout.decode().splitlines() if identity in line)
    assert row.split() == [identity, "mine", "n1", "1m0s", "delete", "0s", "serfHealth"]
    listed = json.loads(pyconsul("session", "list", "-node=n1", "-format=json").stdout)
    assert identity in [session["ID"] for session in listed]
    assert pyconsul("session", "destroy", identity).stdout.decode() == f"Destroyed session: {identity}\n"
    assert pyconsul("kv", "get", "held").returncode == 1  # its behaviour was delete
    assert pyconsul("session", "destroy", "-detailed-exitcode", identity).returncode == 3


def test_sessions_that_the_agent_refuses(pyconsul: Run) -> None:
    done = pyconsul("session", "create", "-ttl=1s")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"Error creating session")
    assert pyconsul("session", "create", "-behavior=nonsense").returncode == 1


def test_services_of_the_agent(pyconsul: Run, web: str) -> None:
    lines = [line.split() for line in pyconsul("services", "list").stdout.decode().splitlines()]
    assert [web, web, ":80", "critical", "v1"] in lines
    assert web in json.loads(pyconsul("services", "list", "-format=json").stdout)
    assert pyconsul("services", "list", '-filter=Service == "none"').stdout == b"Service  ID  Address  Status  Tags\n"


def test_health(pyconsul: Run, web: str) -> None:
    header, *rows = pyconsul("health").stdout.decode().splitlines()
    assert header.split() == ["Status", "Service", "Node", "Check", "Output"]
    states = [row.split()[0] for row in rows]
    assert states == sorted(states)  # critical, then passing
    assert any(row.startswith("critical") and web in row for row in rows)
    assert "passing" not in pyconsul("health", "-state=critical").stdout.decode()
    (check,) = json.loads(pyconsul("health", "-format=json", web).stdout)
    assert check["ServiceName"] == web
    assert pyconsul("health", "-state=passing", web).returncode == 2


def test_health_as_it_changes(pyconsul: Run, cli_agent: str, web: str) -> None:
    environ = {**os.environ, "CONSUL_HTTP_ADDR": cli_agent}
    command = [PYCONSUL, "health", "-watch", web]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environ)
    try:
        assert process.stdout is not None
        assert b"1 critical" in process.stdout.readline()
        assert [process.stdout.readline() for _ in range(2)][1].startswith(b"critical")
        assert pyconsul("services", "deregister", f"-id={web}").returncode == 0
        assert b"0 critical" in process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def test_health_live_on_a_terminal(cli_agent: str, web: str) -> None:
    leader, follower = pty.openpty()
    environ = {**os.environ, "CONSUL_HTTP_ADDR": cli_agent, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen([PYCONSUL, "health", "-watch"], stdin=follower, stdout=follower, env=environ)
    os.close(follower)
    try:
        shown = b""
        while b"Ctrl-C ends" not in shown:
            shown += os.read(leader, 4096)
        assert web.encode() in shown
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def test_the_doctor_tells_that_dns_is_off(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path)
    settings = json.loads(agent.config_file.read_text())
    settings["ports"]["dns"] = -1
    agent.config_file.write_text(json.dumps(settings))
    try:
        agent.start()
        command = [PYCONSUL, "doctor", "-format=json", f"-http-addr={agent.address}"]
        rows = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
        assert [(row["State"], row["Text"]) for row in rows if row["What"] == "DNS"] == [("warning", "is switched off")]
    finally:
        agent.stop()


def test_the_doctor_with_a_well_agent(pyconsul: Run) -> None:
    found = {row["What"]: row for row in json.loads(pyconsul("doctor", "-format=json").stdout)}
    assert {name: found[name]["State"] for name in ("agent", "clock", "leader", "token")} == dict.fromkeys(
        ("agent", "clock", "leader", "token"), "ok"
    )
    assert found["DNS over UDP"]["State"] == found["DNS over TCP"]["State"] == "ok"


def test_the_doctor_without_an_agent(pyconsul: Run) -> None:
    done = pyconsul("doctor", CONSUL_HTTP_ADDR="127.0.0.1:1")
    assert done.returncode == 1
    assert b"FAIL  agent" in done.stdout
    assert b"pyconsul agent -dev" in done.stdout
    assert b"port 8500" in done.stdout


def test_the_doctor_and_tokens(pyconsul: Run, acl_agent: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text(acl_agent["CONSUL_HTTP_TOKEN"])
    (tmp_path / "token").chmod(0o644)
    address = acl_agent["CONSUL_HTTP_ADDR"]
    done = pyconsul("doctor", "-token-file=token", CONSUL_HTTP_ADDR=address)
    assert b"chmod 600 token" in done.stdout
    assert b"the token is known" in done.stdout
    done = pyconsul("doctor", "-token=nonsense", CONSUL_HTTP_ADDR=address)
    assert done.returncode == 1
    assert b"FAIL  token" in done.stdout
    assert b"nonsense" not in done.stdout + done.stderr


def test_the_doctor_distinguishes_what_acls_hide_from_what_fails(pyconsul: Run, acl_agent: dict[str, str]) -> None:
    address = acl_agent["CONSUL_HTTP_ADDR"]
    found = {
        row["What"]: row for row in json.loads(pyconsul("doctor", "-format=json", CONSUL_HTTP_ADDR=address).stdout)
    }
    assert found["checks"]["State"] == "warning"
    assert found["checks"]["Text"].startswith("cannot see all checks")
    assert found["DNS over UDP"]["Text"].startswith("cannot see: no answer from")
    assert "failure" not in {row["State"] for row in found.values()}


def test_the_doctor_checks_the_hardening_lines(pyconsul: Run, acl_agent: dict[str, str]) -> None:
    found = {row["What"]: row for row in json.loads(pyconsul("doctor", "-format=json", **acl_agent).stdout)}
    assert found["ACLs"]["State"] == "ok"
    assert found["anonymous"]["Text"] == "requests without a token cannot write"
    assert found["privileges"]["State"] == "warning"  # it is the management token
    assert {found[line]["State"] for line in ("HTTP", "writers", "browsers", "scripts", "resolver")} == {"ok"}


def test_the_doctor_sees_what_the_anonymous_token_may_write(pyconsul: Run, acl_agent: dict[str, str]) -> None:
    policy = ("acl", "policy", "create", "-name=open", '-rules=key_prefix "open/" { policy = "write" }')
    assert pyconsul(*policy, **acl_agent).returncode == 0
    anonymous = ("acl", "token", "update", "-accessor-id=00000000-0000-0000-0000-000000000002")
    assert pyconsul(*anonymous, "-policy-name=open", **acl_agent).returncode == 0
    found = {row["What"]: row for row in json.loads(pyconsul("doctor", "-format=json", **acl_agent).stdout)}
    assert pyconsul("acl", "policy", "delete", "-name=open", **acl_agent).returncode == 0  # others use this agent
    assert found["anonymous"]["Text"] == "requests without a token can write"
