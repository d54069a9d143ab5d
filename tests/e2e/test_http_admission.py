"""Security settings of the HTTP API, on running agents: each has its effect, also where answers come from the byte cache."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agent_process import AgentProcess, StartAgent, running_agent
from support.raw_http import Raw

BLOCKED = ["/v1/agent/self", "/v1/catalog/nodes"]


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    http_config = {
        "block_endpoints": BLOCKED,
        "allowed_hosts": ["consul.corp.example"],
        "response_headers": {"X-Mine": "yes", "Content-Type": "text/evil"},
    }
    with running_agent(http_config=http_config) as agent:
        agent.put("/v1/kv/k", b"value")
        yield agent


def ask(agent: AgentProcess, line: str, *headers: str) -> int:
    with Raw(agent.http_port) as raw:
        return raw.ask(line, *headers).status  # its Host is `x`


@pytest.mark.parametrize("header", ["Origin: http://x", "Sec-Fetch-Site: same-origin", "Accept-Language: de"])
def test_a_browser_is_not_answered_from_the_cache_under_a_foreign_name(agent: AgentProcess, header: str) -> None:
    for _ in range(3):
        assert ask(agent, "GET /v1/kv/k") == 200
        assert ask(agent, "GET /v1/kv/k", header) == 403
    assert ask(agent, "PUT /v1/kv/other", header, "Content-Length: 0") == 403
    assert ask(agent, "PUT /v1/kv/other", "Content-Length: 0") == 200


def test_a_browser_under_an_own_or_allowed_name(agent: AgentProcess) -> None:
    for name in (f"localhost:{agent.http_port}", "127.0.0.1", "n1", "consul.corp.example"):
        headers = {"Host": name, "Origin": f"http://{name}", "Accept-Language": "de"}
        assert agent.request("GET", "/v1/kv/k", headers=headers)[0] == 200
        assert agent.request("PUT", "/v1/kv/browser", b"1", headers)[0] == 200
    headers = {"Host": "127.0.0.1", "Origin": "https://evil.example"}
    status, _, body = agent.request("POST", "/v1/query", b"{}", headers)
    assert (status, b"another site" in body) == (403, True)


def test_blocked_endpoints_in_every_form(agent: AgentProcess) -> None:
    for path in ("/v1/agent/self", "/v1/agent/self?pretty", "/v1/catalog/nodes", "/v1/agent/%73elf"):
        assert agent.request("GET", path)[::2] == (403, b"Endpoint is blocked by agent configuration")
    question = {"Queries": [{"ID": 1, "Path": "/v1/catalog/nodes"}]}
    lines = agent.request("POST", "/v1/pyconsul/watch", question)[2].splitlines()
    assert json.loads(lines[0]) == {
        "ID": 1, "Index": 0, "Status": 403, "Text": "Endpoint is blocked by agent configuration",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/kv/k", 200),
        ("/v1/kv/none", 404),
        ("/v1/none", 404),
        ("/none", 404),
        ("/v1/kv", 307),
        ("/v1/kv/%zz", 400),
        ("/v1/agent/self", 403),
        ("/", 301),
        ("/v1/kv/k?index=x", 400),
    ],
)
def test_response_headers_are_on_every_response(agent: AgentProcess, path: str, status: int) -> None:
    found, headers, _ = agent.request("GET", path)
    assert (found, headers.get("x-mine")) == (status, "yes")
    assert headers.get("content-type") != "text/evil"


def test_response_headers_are_reloaded(agent: AgentProcess) -> None:
    settings = json.loads(agent.config_file.read_text())
    old = settings["http_config"]["response_headers"]
    settings["http_config"]["response_headers"] = {"X-Mine": "reloaded"}
    agent.config_file.write_text(json.dumps(settings))
    try:
        agent.put("/v1/agent/reload")
        for path in ("/v1/kv/k", "/none"):
            assert agent.request("GET", path)[1]["x-mine"] == "reloaded"
    finally:
        settings["http_config"]["response_headers"] = old
        agent.config_file.write_text(json.dumps(settings))
        agent.put("/v1/agent/reload")


def test_writes_from_other_networks_are_refused() -> None:
    with running_agent(http_config={"allow_write_http_from": ["10.0.0.0/8"]}) as agent:
        for method, path in (("PUT", "/v1/kv/a"), ("DELETE", "/v1/kv/a"), ("PUT", "/v1/agent/reload")):
            assert agent.request(method, path, b"")[::2] == (403, b"Access is restricted")
        assert agent.request("POST", "/v1/kv/a")[0] == 405
        assert agent.request("GET", "/v1/kv/a")[0] == 404
        question = {"Queries": [{"ID": 1, "Path": "/v1/agent/none"}]}
        assert agent.request("POST", "/v1/pyconsul/watch", question)[0] == 200


def test_the_flag_does_the_same(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path)
    agent.argv.append("-allow-write-http-from=127.0.0.0/8")
    agent.argv.append("-allow-write-http-from=10.0.0.0/8")
    try:
        assert agent.start().put("/v1/kv/a", b"1") is True
    finally:
        agent.stop()


def test_unix_sockets_have_the_mode_and_owner_that_are_set(tmp_path: Path, start_agent: StartAgent) -> None:
    path = tmp_path / "http.sock"
    sockets = {"mode": "0660", "user": str(os.getuid()), "group": str(os.getgid())}
    start_agent(addresses={"http": f"127.0.0.1 unix://{path}"}, unix_sockets=sockets)
    found = path.stat()
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert (found.st_uid, found.st_gid) == (os.getuid(), os.getgid())
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    connection.request("GET", "/v1/status/leader", headers={"Host": "foreign", "Accept-Language": "de"})
    assert connection.getresponse().status == 200
    connection.close()


def refused(agent: AgentProcess) -> str:
    """What an agent says that does not start."""
    done = subprocess.run(agent.argv, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    return done.stdout + done.stderr


def test_a_wrong_mode_is_named(tmp_path: Path) -> None:
    sockets = {"mode": "rw"}
    agent = AgentProcess(tmp_path, addresses={"http": f"unix://{tmp_path}/s"}, unix_sockets=sockets)
    assert "unix_sockets.mode: 'rw' is not a mode; allowed: octal digits such as 0660" in refused(agent)


def test_scripts_over_an_open_api_refuse_the_start(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path, enable_script_checks=True, client_addr="0.0.0.0")
    assert "enable_script_checks: whoever reaches the HTTP API could run programs" in refused(agent)


def test_scripts_on_loopback_give_one_warning() -> None:
    with running_agent(enable_script_checks=True) as agent:
        assert agent.log().count("DANGEROUS") == 1


def test_acls_without_tls_beyond_loopback_give_a_warning(start_agent: StartAgent) -> None:
    acl = {"enabled": True, "default_policy": "deny"}
    agent = start_agent(acl=acl, enable_script_checks=True, client_addr="0.0.0.0")
    log = agent.log()
    assert "tokens cross the network in clear text" in log
    assert "DANGEROUS" not in log
