"""A bad day, compressed: instances come and go, checks fail, the agent is killed, the template is broken and mended, while
requests never stop. None fails, and no invalid configuration is ever on disk. Then the tool itself is killed."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import AgentProcess
from support.eventually import eventually
from support.ports import free_ports
from support.traffic import Traffic

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")

CHANGES = 2000
QUIET = 0.1  # seconds
TEMPLATE = """\
defaults
    mode http
    retries 3
    option redispatch
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend http
    bind 127.0.0.1:@port@
    default_backend web
backend web
    balance roundrobin
{% for i in service("web") %}
    server {{ i.id }} {{ i.address }}:{{ i.port }}
{% endfor %}
# {{ key_or_default("note", "none") }}
# end
"""


class Files:
    """Every text that a file ever had, as far as looking all the time can tell."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.texts: dict[str, None] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._stopped.is_set():
            if self._path.exists():
                self.texts[self._path.read_text()] = None
            time.sleep(0.002)

    def stop(self) -> list[str]:
        self._stopped.set()
        self._thread.join()
        return list(self.texts)


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[AgentProcess]:
    """An agent that keeps its data when it is killed."""
    folder = tmp_path / "agent"
    folder.mkdir()
    agent = AgentProcess(folder, folder / "data").start()
    yield agent
    agent.stop()


def churn(agent: AgentProcess, ports: list[int], rng: random.Random, count: int) -> None:
    """So many changes of five instances beside the two that stay."""
    registered: set[int] = set()
    for _ in range(count):
        number = rng.randrange(5)
        name = f"churn-{number}"
        if number in registered and rng.random() < 0.4:
            agent.put(f"/v1/agent/service/deregister/{name}")
            registered.discard(number)
        elif number in registered and rng.random() < 0.6:
            agent.put(f"/v1/agent/check/{rng.choice(['pass', 'fail', 'warn'])}/service:{name}")
        else:
            check = {"TTL": "10m", "Status": rng.choice(["passing", "critical"])}
            service = {"Name": "web", "ID": name, "Address": "127.0.0.1", "Port": rng.choice(ports), "Check": check}
            agent.put("/v1/agent/service/register", service)
            registered.add(number)


def objection(folder: Path, text: str) -> str:
    """What HAProxy has against a configuration."""
    file = folder / "seen.cfg"
    file.write_text(text)
    checked = subprocess.run(["haproxy", "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    return checked.stderr or "refused" if checked.returncode else ""


def serve_note(agent: AgentProcess, tool: Any, text: str) -> None:
    """Change a key, and wait until the change is in the file."""
    agent.request("PUT", "/v1/kv/note", text.encode())
    eventually(lambda: f"# {text}\n" in (tool.text("haproxy.cfg") or ""), "the change is not in the file")


def test_a_bad_day(durable: AgentProcess, template: Any, web_server: Any, tmp_path: Path) -> None:
    rng = random.Random(7)
    (port,) = free_ports(1)
    servers = [web_server(f"server-{number}") for number in range(4)]
    for number in (0, 1):
        service = {"Name": "web", "ID": f"stays-{number}", "Address": "127.0.0.1", "Port": servers[number].port}
        durable.put("/v1/agent/service/register", service)
    source = TEMPLATE.replace("@port@", str(port))
    flags = ("-template", "haproxy.j2:haproxy.cfg", "-exec-reload", "-wait", f"{QUIET:g}s:1s", "-log-level", "info")
    began = time.monotonic()
    tool = template(durable, *flags, "-consul-retry-max-backoff", "500ms", haproxy_j2=source)
    eventually(lambda: tool.said("haproxy has been started"))
    load, files = Traffic(port), Files(tmp_path / "haproxy.cfg")
    eventually(lambda: load.latest, "HAProxy does not serve")
    load.failures.clear()  # Those from before it listened.
    try:
        ports = [server.port for server in servers[2:]]
        for part in range(4):
            churn(durable, ports, rng, CHANGES // 4)
            if part == 0:
                serve_note(durable, tool, "a first word")
                (tmp_path / "haproxy.j2").write_text(source + "{% if %}")
                tool.process.send_signal(signal.SIGHUP)
                eventually(lambda: tool.said("reload failed"))
            elif part == 1:
                (tmp_path / "haproxy.j2").write_text(source + "nonsense here\n")
                tool.process.send_signal(signal.SIGHUP)
                eventually(lambda: tool.said("unknown keyword 'nonsense'"))
            elif part == 2:
                (tmp_path / "haproxy.j2").write_text(source)
                tool.process.send_signal(signal.SIGHUP)
                durable.kill()
                durable.start()
        serve_note(durable, tool, "the last word")
    finally:
        load.stop()
        texts = files.stop()
    lasted = time.monotonic() - began
    assert load.failures == []
    assert all(text.endswith("# end\n") for text in texts)
    for text in texts:
        assert objection(tmp_path, text) == "", text
    written = len(re.findall("haproxy.cfg has been written", tool.stderr))
    assert 3 <= written <= lasted / QUIET + 1
    assert tool.stderr.count("New worker") <= written
    assert tool.end(signal.SIGTERM) == 12


def test_a_tool_that_is_killed_leaves_the_old_file_or_the_new_one(agent: Any, template: Any, tmp_path: Path) -> None:
    rng = random.Random(3)
    size = 200_000
    source = "{{ key('killed/v') * " + str(size) + " }}!"
    agent.put("killed/v", "0")
    for round_ in range(1, 13):
        tool = template(agent, "-template", "in.j2:out", in_j2=source)
        eventually((tmp_path / "out").exists)
        for value in range(5):
            agent.put("killed/v", str((round_ + value) % 10))
            time.sleep(rng.uniform(0, 0.03))  # The kill comes at any moment; nothing depends on which.
        tool.process.kill()
        tool.process.wait()
        text = (tmp_path / "out").read_text()
        assert text == text[0] * size + "!"
    agent.put("killed/v", "x")
    tool = template(agent, "-template", "in.j2:out", in_j2=source)
    tool.shows("out", "x" * size + "!")
    assert tool.end() == 12
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == [], "what the killed ones left"
