"""The command line and the tools against a client agent; `PYCONSUL_AGAINST=client pytest tests/e2e/…` runs other tests so, too."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest
from support.agent_process import AgentProcess
from support.eventually import PATIENCE, eventually

BIN = Path(sys.executable).parent
LOOKUPS = 200
ESTABLISHED = "01"  # in /proc/net/tcp


class Client:
    """A client agent, its server, and the programs that use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        services = [{"name": "web", "port": 80}]
        self.agent = AgentProcess(folder, against="client", node_name="c1", services=services, leave_on_terminate=False)
        self.environ = {"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": self.agent.address}

    def run(self, program: str, *words: str) -> str:
        """Return the output of a program that succeeds."""
        done = subprocess.run(
            [BIN / program, *words],
            check=False,
            env=self.environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, program: str, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [BIN / program, *words], env=self.environ, cwd=self.folder, stdout=subprocess.PIPE, text=True
        )

    @property
    def server(self) -> dict[str, Any]:
        """The settings of the server."""
        found: dict[str, Any] = json.loads((self.folder / "pair" / "server.json").read_text())
        return found

    def signal_server(self, number: int) -> None:
        os.kill(int(Path(self.server["pid_file"]).read_text()), number)

    @property
    def connections(self) -> int:
        """The number of connections from the agent to the server's RPC port."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(row[2].endswith(f":{self.server['ports']['server']:04X}") and row[3] == ESTABLISHED for row in rows)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    found = Client(tmp_path_factory.mktemp("client"))
    found.agent.start()
    eventually(lambda: "web" in found.agent.get("/v1/catalog/services"))
    yield found
    found.agent.stop()


def test_what_is_asked_of_the_datacenter(client: Client) -> None:
    client.run("pyconsul", "kv", "put", "a", "one")
    assert client.run("pyconsul", "kv", "get", "a") == "one\n"
    assert client.run("pyconsul", "catalog", "services").split() == ["consul", "web"]
    assert [line.split()[0] for line in client.run("pyconsul", "members").splitlines()[1:]] == ["the-server", "c1"]
    assert "n/a" not in client.run("pyconsul", "operator", "raft", "list-peers")
    assert client.run("pyconsul", "lock", "locks/a", "echo held") == "held\n"
    client.run("pyconsul", "snapshot", "save", "state.snap")
    assert "KVS" in client.run("pyconsul", "snapshot", "inspect", "state.snap")


def test_what_the_agent_does_itself(client: Client) -> None:
    with client.start("pyconsul", "monitor", "-log-level=debug") as monitor:
        assert monitor.stdout is not None
        while not select.select([monitor.stdout], [], [], 0.05)[0]:
            client.agent.get("/v1/agent/self")  # which is logged
        line = monitor.stdout.readline()
        monitor.terminate()
    assert "agent" in line
    client.run("pyconsul", "reload")
    assert "reload" in client.agent.log()
    client.run("pyconsul", "maint", "-enable", "-reason=disk")
    assert "Name:   c1" in client.run("pyconsul", "maint")
    eventually(lambda: [row["Node"] for row in client.agent.get("/v1/health/state/critical")] == ["c1"])
    client.run("pyconsul", "maint", "-disable")
    eventually(lambda: client.agent.get("/v1/health/state/critical") == [])


def test_names_are_resolved(client: Client) -> None:
    for name in ("web.service.consul", "c1.node.consul"):
        question = dns.message.make_query(name, "A")
        found = dns.query.udp(question, "127.0.0.1", timeout=PATIENCE, port=client.agent.dns_port)
        assert [row.to_text() for row in found.answer[0]] == ["127.0.0.1"]


def test_a_program_gets_its_environment(client: Client) -> None:
    client.run("pyconsul", "kv", "put", "app/port", "80")
    assert client.run("pyenvconsul", "-once", "-prefix", "app", "echo port=$port") == "port=80\n"


def test_many_lookups_share_a_connection_and_outlive_the_server(client: Client) -> None:
    operations = [{"KV": {"Verb": "set", "Key": f"many/{number}", "Value": "MQ=="}} for number in range(LOOKUPS)]
    for first in range(0, LOOKUPS, 50):
        client.agent.put("/v1/txn", operations[first : first + 50])
    text = "".join(f'{{{{ key "many/{number}" }}}}' for number in range(LOOKUPS))
    (client.folder / "in.ctmpl").write_text(text + ' {{ range service "web" }}{{ .Node }}{{ end }}\n')
    out = client.folder / "out"
    tool = client.start("pyconsul-template", "-template", "in.ctmpl:out", "-consul-retry-max-backoff", "200ms")
    try:
        eventually(lambda: out.exists() and out.read_text() == "1" * LOOKUPS + " c1\n")
        assert client.connections == 1
        client.signal_server(signal.SIGSTOP)
        assert client.agent.get("/v1/agent/self")["Config"]["NodeName"] == "c1"  # without any server
        client.signal_server(signal.SIGCONT)
        client.agent.put("/v1/kv/many/0", b"2")
        eventually(lambda: out.read_text() == "2" + "1" * (LOOKUPS - 1) + " c1\n")
        assert client.connections == 1
    finally:
        tool.terminate()
        tool.communicate()


def test_leaving_is_the_agent_s_own(client: Client) -> None:
    client.run("pyconsul", "leave")
    assert client.agent.process is not None
    assert client.agent.process.wait(PATIENCE) == 0
