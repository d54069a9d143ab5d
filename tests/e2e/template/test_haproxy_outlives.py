"""HAProxy goes on when pyconsul-template dies, and the next start takes it over: no request fails."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.eventually import PATIENCE, eventually
from support.ports import free_port
from support.traffic import Traffic

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")

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
    timeout queue @queue@s
{% for i in service("web") %}
    server {{ i.id }} {{ i.address }}:{{ i.port }}
{% endfor %}
"""
ARGUMENTS = ("-template", "haproxy.j2:haproxy.cfg", "-exec-reload", "-log-level=info")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def traffic() -> Iterator[Callable[[int], Traffic]]:
    running: list[Traffic] = []

    def start(port: int) -> Traffic:
        running.append(Traffic(port))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def masters(folder: Path) -> list[int]:
    """Return the HAProxy masters whose socket is in the folder.

    A master that executes itself again has no command line for a moment: two readings in a row must agree.
    """
    before, now = None, _read_masters(folder)
    while now != before:
        before, now = now, _read_masters(folder)
    return now


def _read_masters(folder: Path) -> list[int]:
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if words[:2] == [b"haproxy", b"-W"] and str(folder).encode() in b" ".join(words) and state != "Z":
            found[int(entry.name)] = int(parent)
    return sorted(pid for pid, parent in found.items() if parent not in found)


@pytest.fixture(autouse=True)
def no_haproxy_stays(state_folder: Path) -> Iterator[None]:
    yield
    for pid in masters(state_folder):
        os.killpg(pid, signal.SIGKILL)


def serves(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def test_killed_and_started_again_no_request_fails(
    own_agent: Any, template: Any, web_server: Any, traffic: Any, port: int, tmp_path: Path, state_folder: Path
) -> None:
    one, two, three = (web_server(name) for name in ("one", "two", "three"))
    own_agent.register(Name="web", ID="one", Address="127.0.0.1", Port=one.port)
    source = TEMPLATE.replace("@port@", str(port)).replace("@queue@", "5")
    tool = template(own_agent, *ARGUMENTS, haproxy_j2=source)
    eventually(lambda: serves(port), "HAProxy does not serve")
    requests = traffic(port)
    eventually(lambda: "one" in requests.latest)
    first = masters(state_folder)
    assert len(first) == 1

    tool.process.kill()
    tool.process.wait()
    own_agent.register(Name="web", ID="two", Address="127.0.0.1", Port=two.port)
    (tmp_path / "haproxy.j2").write_text(source.replace("queue 5s", "queue 6s"))
    tool = template(own_agent, *ARGUMENTS)
    eventually(lambda: tool.said("has been adopted"), "HAProxy is not adopted")
    eventually(lambda: {"one", "two"} <= set(requests.latest), "the new server is not used")

    tool.process.kill()
    tool.process.wait()
    tool = template(own_agent, *ARGUMENTS)
    eventually(lambda: tool.said("has been adopted"), "HAProxy is not adopted")
    own_agent.register(Name="web", ID="three", Address="127.0.0.1", Port=three.port)
    eventually(lambda: "three" in requests.latest, "the new server is not used")
    assert tool.said("has been changed without a reload"), "what is in force is known again"
    assert masters(state_folder) == first
    assert not re.search(r"haproxy has been started", tool.stderr)

    requests.stop()
    assert requests.failures == []
    assert tool.end(signal.SIGTERM) == 12
    assert masters(state_folder) == []
    assert list(state_folder.iterdir()) == []


def test_a_refusal_by_an_adopted_haproxy_is_explained_and_its_death_noticed(
    own_agent: Any, template: Any, web_server: Any, port: int, tmp_path: Path, state_folder: Path
) -> None:
    server = web_server("one")
    own_agent.register(Name="web", ID="one", Address="127.0.0.1", Port=server.port)
    source = TEMPLATE.replace("@port@", str(port)).replace("@queue@", "{{ key_or_default('queue', '5') }}")
    tool = template(own_agent, *ARGUMENTS, haproxy_j2=source)
    eventually(lambda: serves(port))
    tool.process.kill()
    tool.process.wait()
    tool = template(own_agent, *ARGUMENTS)
    eventually(lambda: tool.said("has been adopted"))
    own_agent.put("queue", "7")
    eventually(lambda: tool.said("has loaded the new configuration"))
    (master,) = masters(state_folder)
    os.killpg(master, signal.SIGKILL)
    eventually(lambda: tool.said("haproxy has ended"), "the end is not noticed")
    eventually(lambda: masters(state_folder) not in ([], [master]), "it is not started again")
    eventually(lambda: serves(port))
    assert tool.end() == 12


def test_keep_leaves_it_running_for_the_next_start(
    own_agent: Any, template: Any, web_server: Any, traffic: Any, port: int, tmp_path: Path, state_folder: Path
) -> None:
    server = web_server("one")
    own_agent.register(Name="web", ID="one", Address="127.0.0.1", Port=server.port)
    source = TEMPLATE.replace("@port@", str(port)).replace("@queue@", "5")
    tool = template(own_agent, *ARGUMENTS, "-exec-keep", haproxy_j2=source)
    eventually(lambda: serves(port))
    requests = traffic(port)
    first = masters(state_folder)
    assert tool.end(signal.SIGTERM) == 12
    assert masters(state_folder) == first
    tool = template(own_agent, *ARGUMENTS)
    eventually(lambda: tool.said("has been adopted"))

    second = template(own_agent, *ARGUMENTS)
    assert second.process.wait(PATIENCE) == 14
    assert f"another pyconsul-template (pid {tool.process.pid}) already runs haproxy with" in second.stderr
    assert masters(state_folder) == first
    requests.stop()
    assert requests.failures == []
    assert tool.end(signal.SIGTERM) == 12
    assert masters(state_folder) == []


def test_another_configuration_hands_it_over(
    own_agent: Any, template: Any, web_server: Any, traffic: Any, port: int, tmp_path: Path, state_folder: Path
) -> None:
    server = web_server("one")
    own_agent.register(Name="web", ID="one", Address="127.0.0.1", Port=server.port)
    source = TEMPLATE.replace("@port@", str(port)).replace("@queue@", "5")
    block = 'template {\n source = "haproxy.j2"\n destination = "haproxy.cfg"\n}\n'
    (tmp_path / "c.hcl").write_text(block)
    tool = template(own_agent, "-config", "c.hcl", "-exec-reload", "-log-level=info", haproxy_j2=source)
    eventually(lambda: serves(port))
    requests = traffic(port)
    first = masters(state_folder)
    (tmp_path / "c.hcl").write_text(block + 'max_stale = "9s"\n')
    tool.process.send_signal(signal.SIGHUP)
    eventually(lambda: tool.said("has been adopted"), "the next run starts another one")
    assert masters(state_folder) == first
    requests.stop()
    assert requests.failures == []
    assert tool.end() == 12
