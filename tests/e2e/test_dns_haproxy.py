"""A real HAProxy that finds its servers by SRV records (`resolvers`, `server-template`) follows joins, failures and returns."""

from __future__ import annotations

import http.client
import http.server
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from support.agent_process import AgentProcess, running_agent
from support.eventually import PATIENCE, eventually
from support.ports import free_ports

CONFIG = """
global
    stats socket {folder}/haproxy.sock level admin

defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    default-server init-addr none check inter 200ms resolvers agent resolve-prefer ipv4

resolvers agent
    nameserver local 127.0.0.1:{dns}
    accepted_payload_size 8192
    resolve_retries 3
    timeout resolve 200ms
    timeout retry 200ms
    hold valid 200ms
    hold nx 200ms
    hold obsolete 200ms

frontend front
    bind 127.0.0.1:{front}
    default_backend web

backend web
    balance roundrobin
    server-template web 10 _web._tcp.service.consul
"""


class Backend:
    """A web server that says which one it is, on an address of its own as if on a machine of its own."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = name.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def agent() -> Iterator[AgentProcess]:
    with running_agent() as agent:
        yield agent


@pytest.fixture
def backends() -> Iterator[dict[str, Backend]]:
    with ExitStack() as stack:
        made = {f"web{number}": Backend(f"web{number}", f"127.0.0.{10 + number}") for number in (1, 2, 3)}
        for backend in made.values():
            stack.callback(backend.close)
        yield made


@pytest.fixture
def front(agent: AgentProcess, tmp_path: Path) -> Iterator[int]:
    """The port of a HAProxy in front of whatever the agent's DNS says."""
    program = shutil.which("haproxy")
    if program is None:
        pytest.skip("haproxy is not installed")
    port = free_ports(1)[0]
    config = tmp_path / "haproxy.cfg"
    config.write_text(CONFIG.format(folder=tmp_path, dns=agent.dns_port, front=port))
    with (tmp_path / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([program, "-db", "-f", str(config)], stdout=log, stderr=log)
    try:
        eventually(lambda: reachable(port))
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def reachable(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def register(agent: AgentProcess, backend: Backend) -> None:
    check = {"CheckID": f"service:{backend.name}", "TTL": "10m", "Status": "passing"}
    service = {"ID": backend.name, "Name": "web", "Address": backend.address, "Port": backend.port, "Check": check}
    agent.put("/v1/agent/service/register", service)


def served_by(port: int) -> set[str]:
    """Who answers twelve requests; "" stands for the refusal of a proxy without servers."""
    found = set()
    for _ in range(12):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            found.add(response.read().decode() if response.status == 200 else "")
        finally:
            connection.close()
    return found


def test_haproxy_follows_the_catalog(agent: AgentProcess, backends: dict[str, Backend], front: int) -> None:
    assert served_by(front) == {""}

    for name in ("web1", "web2"):
        register(agent, backends[name])
    eventually(lambda: served_by(front) == {"web1", "web2"})

    register(agent, backends["web3"])  # joins
    eventually(lambda: served_by(front) == {"web1", "web2", "web3"})

    agent.put("/v1/agent/check/fail/service:web2")  # fails, though it would still answer
    eventually(lambda: served_by(front) == {"web1", "web3"})

    agent.put("/v1/agent/check/pass/service:web2")  # returns
    eventually(lambda: served_by(front) == {"web1", "web2", "web3"})

    agent.put("/v1/agent/service/maintenance/web3?enable=true")
    eventually(lambda: served_by(front) == {"web1", "web2"})

    agent.put("/v1/agent/service/deregister/web1")  # leaves
    eventually(lambda: served_by(front) == {"web2"})

    agent.put("/v1/agent/service/maintenance/web3?enable=false")
    eventually(lambda: served_by(front) == {"web2", "web3"})
    assert "Traceback" not in agent.log()
