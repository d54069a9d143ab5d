"""Containers behind HAProxy under load: they are started, drained, stopped, fail their HEALTHCHECK; no request fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.agent_process import AgentProcess
from support.container_engine import ContainerEngine
from support.eventually import eventually
from support.ports import free_ports
from support.registrator import PYCONSUL, Registrator, execute, registered, serve
from support.traffic import Traffic

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")

TEMPLATE = """\
defaults
    mode http
    retries 3
    option redispatch
    retry-on conn-failure empty-response response-timeout
    timeout connect 1s
    timeout client 10s
    timeout server 10s
frontend http
    bind 127.0.0.1:@port@
    default_backend web
backend web
    balance roundrobin
{% for i in service("small") %}
    server {{ i.id | replace(":", "_") }} {{ i.address }}:{{ i.port }}
{% endfor %}
"""


class Proxy:
    """HAProxy, with a configuration that pyconsul-template keeps up to date."""

    def __init__(self, folder: Path, agent: AgentProcess) -> None:
        (self.port,) = free_ports(1)
        self.config = folder / "haproxy.cfg"
        self.log = folder / "template.log"
        (folder / "haproxy.j2").write_text(TEMPLATE.replace("@port@", str(self.port)))
        argv = [
            str(Path(sys.executable).with_name("pyconsul-template")),
            "-template",
            "haproxy.j2:haproxy.cfg",
            "-exec-reload",
        ]
        environ = {"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": agent.address}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*argv, "-log-level", "info"], cwd=folder, env=environ, stdout=log, stderr=log
            )

    def serves(self, *names: str) -> None:
        """Wait until HAProxy has these containers, and no others."""
        wanted = {f"_{name}_80 " for name in names}

        def found() -> bool:
            text = self.config.read_text() if self.config.exists() else ""
            return text.count("    server ") == len(wanted) and all(name in text for name in wanted)

        eventually(found, lambda: self.config.read_text() + self.log.read_text()[-2000:])

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def proxy(tmp_path: Path, agent: AgentProcess) -> Iterator[Proxy]:
    one = Proxy(tmp_path, agent)
    yield one
    one.end()


def test_no_request_fails(
    engine: ContainerEngine, agent: AgentProcess, registrator: Callable[..., Registrator], proxy: Proxy, host: str
) -> None:
    tool = registrator()
    for name in ("one", "two", "three"):
        serve(engine, name)
    proxy.serves("one", "two", "three")
    eventually(lambda: _answers(proxy.port))
    load = Traffic(proxy.port)
    try:
        eventually(lambda: {"one\n", "two\n", "three\n"} <= set(load.latest))
        serve(engine, "four")
        proxy.serves("one", "two", "three", "four")
        eventually(lambda: "four\n" in load.latest)
        drain(tool, agent, "one")
        proxy.serves("two", "three", "four")
        engine.done("POST", "/containers/two/stop")
        proxy.serves("three", "four")
        execute(engine, "three", "/bin/rm", "/tmp/healthy")
        proxy.serves("four")
        execute(engine, "three", "/bin/touch", "/tmp/healthy")
        proxy.serves("three", "four")
        eventually(lambda: {"three\n", "four\n"} <= set(load.latest))
        assert load.failures == []
        engine.done("POST", "/containers/four/kill")  # requests that are in flight may be lost
        proxy.serves("three")
        eventually(lambda: set(load.latest) == {"three\n"})
    finally:
        load.stop()
    print(f"requests in flight that failed when a container was killed: {len(load.failures)}")
    assert len(load.failures) <= 2  # the clients send one request at a time
    assert list(registered(agent)) == [f"{host}:three:80"]


def drain(tool: Registrator, agent: AgentProcess, name: str) -> None:
    """Drain a container, and stop it."""
    argv = [PYCONSUL, "registrator", "drain", name, "-wait", "500ms", "-stop", "-consul", f"consul://{agent.address}"]
    done = subprocess.run(argv, env=tool.environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def _answers(port: int) -> bool:
    try:
        Traffic.get(_Once(port))
    except (OSError, AssertionError):
        return False
    return True


class _Once(Traffic):
    """Sends no requests by itself."""

    def __init__(self, port: int) -> None:
        self.port = port
