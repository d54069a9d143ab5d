"""pyconsul-template seen from outside: status pages, metrics, systemd's messages, log files."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.eventually import PATIENCE, eventually
from support.ports import free_port

from pyconsul.tools.exit_codes import Exit

BIN = Path(sys.executable).parent


class Status:
    """The status pages of a tool."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"

    def get(self, path: str, method: str = "GET", accept: str = "*/*") -> tuple[int, str]:
        """Status and text; 0 while nobody listens."""
        request = urllib.request.Request(f"http://{self.address}{path}", method=method, headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def json(self, path: str, method: str = "GET") -> tuple[int, Any]:
        status, text = self.get(path, method)
        return status, json.loads(text or "null")

    def template(self, number: int = 0) -> dict[str, Any]:
        _, report = self.json("/explain")
        found: dict[str, Any] = report["templates"][number]
        return found

    def metrics(self) -> dict[str, float]:
        families = text_string_to_metric_families(self.get("/metrics")[1])
        samples = [sample for family in families for sample in family.samples]
        return {" ".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


@pytest.fixture
def status() -> Status:
    return Status()


def test_from_waiting_to_current(agent: Any, template: Any, status: Status) -> None:
    tool = template(agent, "-template", "in.j2:out", "-http-addr-status", status.address, in_j2="{{ key('seen/a') }}\n")
    eventually(lambda: status.get("/health")[0] == 200)
    eventually(lambda: status.template()["missing"] == ["key seen/a"])
    code, body = status.json("/ready")
    assert (code, body["ready"], body["waiting"][0]["missing"]) == (503, False, ["key seen/a"])
    agent.put("seen/a", "hunter2-value")
    tool.shows("out", "hunter2-value\n")
    eventually(lambda: status.get("/ready")[0] == 200)
    agent.put("seen/a", "hunter3-value")
    tool.shows("out", "hunter3-value\n")
    eventually(lambda: status.template()["changes"] == ["key seen/a: changed"])
    eventually(lambda: status.template()["state"] == "current")
    numbers = status.metrics()
    assert numbers["pyconsul_template_renders_total out"] == 2
    assert numbers["pyconsul_template_consul_up"] == 1
    assert numbers["pyconsul_template_templates current"] == 1
    for path in ("/", "/health", "/ready", "/metrics", "/explain", "/explain?format=text"):
        assert "hunter" not in status.get(path)[1]
    assert tool.end() == Exit.INTERRUPT
    assert status.get("/health")[0] == 0


def test_an_outage_of_consul_is_no_reason_to_end_the_tool(own_agent: Any, template: Any, status: Status) -> None:
    own_agent.put("a", "one")
    flags = ("-template", "in.j2:out", "-http-addr-status", status.address, "-consul-retry-max-backoff=100ms")
    tool = template(own_agent, *flags, in_j2="{{ key('a') }}\n")
    tool.shows("out", "one\n")
    own_agent.stop()
    eventually(lambda: status.json("/health")[1]["status"] == "degraded")
    assert status.get("/health")[0] == 200
    assert status.get("/ready")[0] == 200
    assert status.metrics()["pyconsul_template_consul_up"] == 0
    own_agent.start()
    eventually(lambda: status.json("/health")[1]["consul"]["reachable"])


def test_a_refused_file_is_explained_without_secret_values(agent: Any, template: Any, status: Status) -> None:
    agent.put("refused/a", "good")
    config = f"""status {{ address = "{status.address}" }}
    template {{
      source = "in.j2"
      destination = "out"
      check = "grep -q good {{{{ path }}}} || {{ cat {{{{ path }}}}; exit 3; }}"
    }}"""
    tool = template(agent, "-config", "c.hcl", c_hcl=config, in_j2="{{ key('refused/a') }}\n")
    tool.shows("out", "good\n")
    agent.put("refused/a", "hunter2-is-bad")
    eventually(lambda: status.template()["state"] == "pending")
    found = status.template()
    assert found["trouble"]
    assert found["retry_in"] is not None
    assert "hunter2" not in json.dumps(found)
    assert status.get("/ready")[0] == 200
    assert status.metrics()["pyconsul_template_refusals_total out"] >= 1
    agent.put("refused/a", "good again")
    tool.shows("out", "good again\n")
    eventually(lambda: status.template()["state"] == "current")


def test_an_address_in_use_ends_the_start(agent: Any, tmp_path: Path) -> None:
    (tmp_path / "in.j2").write_text("text")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [str(BIN / "pyconsul-template"), "-template", "in.j2:out", "-http-addr-status", address],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": agent.address},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode != 0
    assert f"-http-addr-status: cannot listen at {address}: address already in use" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(PATIENCE)
        yield listening


def hear(systemd: socket.socket, words: str) -> None:
    """Wait for a message that begins with these words."""
    while not systemd.recv(4096).decode().startswith(words):
        pass


def test_a_unit_of_systemd(agent: Any, tmp_path: Path, systemd: socket.socket) -> None:
    agent.put("unit/a", "one")
    (tmp_path / "in.j2").write_text("{{ key('unit/a') }}")
    variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"}
    process = subprocess.Popen(
        [str(BIN / "pyconsul-template"), "-template", "in.j2:out:env > variables"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": agent.address, **variables},
        stderr=subprocess.DEVNULL,
    )
    try:
        hear(systemd, "READY=1")
        assert (tmp_path / "out").read_text() == "one"
        hear(systemd, "WATCHDOG=1")
        process.send_signal(signal.SIGHUP)
        hear(systemd, "RELOADING=1\nMONOTONIC_USEC=")
        hear(systemd, "READY=1")
        process.terminate()
        hear(systemd, "STOPPING=1")
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
    inherited = (tmp_path / "variables").read_text()
    assert "NOTIFY_SOCKET" not in inherited
    assert "WATCHDOG" not in inherited


def test_log_files(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.put("logged/a", "hunter2-value")
    flags = ("-template", "in.j2:out", "-log-level=trace", "-log-format=json", "-log-file", "logs/tool.log")
    tool = template(agent, *flags, "-log-rotate-bytes=1", "-token=hunter2-token", in_j2="{{ key('logged/a') }}\n")
    tool.shows("out", "hunter2-value\n")
    eventually(lambda: any("has been written" in path.read_text() for path in (tmp_path / "logs").glob("tool-*.log")))
    tool.end()
    texts = [path.read_text() for path in sorted((tmp_path / "logs").iterdir())]
    assert len(texts) > 1
    for line in "".join(texts).splitlines():
        assert json.loads(line)["@module"] == "template"
        assert "hunter2" not in line


def test_no_error_shows_a_secret_anywhere(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.put("mask/port", "80")
    status = Status()
    tool = template(
        agent,
        *("-template", "in.ctmpl:out", "-template", "in.j2:out2", "-http-addr-status", status.address),
        *("-template-error-fatal=false", "-log-level", "debug"),
        in_ctmpl='{{ key "mask/port" | split "," | len }} {{ key "mask/port" | parseInt }}',
        in_j2="{% set n = {'80': 1}[key('mask/port')] %}{{ n }}",
    )
    tool.shows("out", "1 80")
    tool.shows("out2", "1")
    agent.put("mask/port", "hunter2")
    eventually(lambda: tool.stderr.count("stays as it is") >= 2, "the errors are not logged")
    pages = [status.get(page)[1] for page in ("/explain", "/health", "/ready", "/metrics")]
    assert 'parsing "****"' in tool.stderr
    assert "parsing" in pages[0]
    assert "hunter2" not in tool.stderr + "".join(pages)
    for text in ('{{ key "mask/port" | parseInt }}', '{{ $x := "hunter2" }}{{ $x | parseInt }}'):
        (tmp_path / "once.ctmpl").write_text(text)
        once = template(agent, "-once", "-template", "once.ctmpl:once")
        assert once.process.wait(PATIENCE) == Exit.RUN
        assert "parseInt" in once.stderr
        assert "hunter2" not in once.stderr
