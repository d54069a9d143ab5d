"""pyconsul-template with 1,000 services of 10 instances in one file: the first render, a change, and what idling costs.

The reference is what cannot be spared: each answer fetched once over one connection, one after the other, and one
rendering of them by Jinja2. A change is compared with one fetch and the same rendering.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import jinja2
from support.agent_process import AgentProcess, running_agent

from bench.rows import Row, row

SERVICES, INSTANCES = 1000, 10
CHANGES = 15
IDLE = 5.0  # seconds
PATIENCE = 60.0  # seconds
TEMPLATE = """\
{% for s in services() if s.name != "consul" %}{% for i in service(s.name) %}{{ s.name }} {{ i.id }} {{ i.address }}:{{ i.port }}
{% endfor %}{% endfor %}"""
BARE = """\
{% for name in names %}{% for i in found[name] %}{{ name }} {{ i.Service.ID }} {{ i.Node.Address }}:{{ i.Service.Port }}
{% endfor %}{% endfor %}"""


def template_1000_services() -> Iterator[Row]:
    with running_agent() as agent, tempfile.TemporaryDirectory() as folder:
        _fill(agent)
        fetched, one, rendered = _reference(agent)
        out = Path(folder, "out")
        with _tool(agent, out) as (process, started):
            _until(out.exists)
            yield _ms(
                "first render, 1,000 services x 10 in one template", time.perf_counter() - started, fetched + rendered
            )
            time.sleep(1)
            times = [_change(agent, out, number) for number in range(CHANGES)]
            yield _ms("a change of one instance until it is in the file", statistics.median(times), one + rendered)
            time.sleep(1)
            used = _processor_seconds(process.pid)
            time.sleep(IDLE)
            share = 100 * (_processor_seconds(process.pid) - used) / IDLE
            yield row("processor share while nothing changes", share, max(share, 0.01), "%", 0)
            yield row("memory of the tool", _megabytes(process.pid), _bare_megabytes(), "MB", 0, inverse=True)


def template_shared() -> Iterator[Row]:
    """Measure a follower: the leader asks, packs and writes, then the follower reads."""
    with running_agent() as agent, tempfile.TemporaryDirectory() as folder:
        _fill(agent)
        _, one, rendered = _reference(agent)
        leads, follows = Path(folder, "leads"), Path(folder, "follows")
        with _tool(agent, leads, "-dedup"):
            _until(leads.exists)
            with _tool(agent, follows, "-dedup"):
                _until(follows.exists)
                time.sleep(3)
                times = [_change(agent, follows, number) for number in range(CHANGES)]
            yield _ms(
                "a change of one instance until another machine shows it", statistics.median(times), one + rendered
            )


def template_plain_agent() -> Iterator[Row]:
    """Measure the first render against an agent without our streams, as Consul's own: each lookup is a request."""
    with running_agent(http_config={"block_endpoints": ["/v1/pyconsul/watch"]}) as agent:
        _fill(agent)
        fetched, _, rendered = _reference(agent)
        times = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder, "out")
                with _tool(agent, out) as (_, started):
                    _until(out.exists)
                    times.append(time.perf_counter() - started)
        yield _ms(
            "first render, 1,000 services x 10, agent without streams", statistics.median(times), fetched + rendered
        )


def _ms(name: str, measured: float, reference: float) -> Row:
    return row(name, measured * 1000, reference * 1000, "ms", 0, inverse=True)


def _fill(agent: AgentProcess) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", agent.http_port)) as connection:
        for service in range(SERVICES):
            for instance in range(INSTANCES):
                _register(connection, f"service-{service:04}", instance, 8000)


def _register(connection: http.client.HTTPConnection, name: str, instance: int, port: int) -> None:
    body = {
        "Node": f"node-{instance}",
        "Address": f"10.0.0.{instance}",
        "Service": {"ID": f"{name}-{instance}", "Service": name, "Port": port},
        "Check": {
            "CheckID": f"{name}-{instance}",
            "Name": "alive",
            "Status": "passing",
            "ServiceID": f"{name}-{instance}",
        },
        "SkipNodeUpdate": True,
    }
    _ask(connection, "PUT", "/v1/catalog/register", json.dumps(body))


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> bytes:
    connection.request(method, path, body)
    response = connection.getresponse()
    data = response.read()
    if response.status != 200:
        raise RuntimeError(f"{method} {path}: {response.status} {data[:200]!r}")
    return data


def _reference(agent: AgentProcess) -> tuple[float, float, float]:
    """Seconds to fetch all answers, the median of one, and seconds to render them."""
    template = jinja2.Environment().from_string(BARE)
    with closing(http.client.HTTPConnection("127.0.0.1", agent.http_port)) as connection:
        started = time.perf_counter()
        names = sorted(name for name in json.loads(_ask(connection, "GET", "/v1/catalog/services")) if name != "consul")
        found, times = {}, []
        for name in names:
            before = time.perf_counter()
            found[name] = json.loads(_ask(connection, "GET", f"/v1/health/service/{name}?passing=1"))
            times.append(time.perf_counter() - before)
        fetched = time.perf_counter() - started
    started = time.perf_counter()
    text = template.render(names=names, found=found)
    rendered = time.perf_counter() - started
    if text.count("\n") != SERVICES * INSTANCES:
        raise RuntimeError("not everything was fetched")
    return fetched, statistics.median(times), rendered


@contextmanager
def _tool(agent: AgentProcess, out: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A running tool, and when it was started."""
    source = out.with_name("in.j2")
    source.write_text(TEMPLATE)
    argv = [str(Path(sys.executable).with_name("pyconsul-template")), "-consul-addr", agent.address]
    started = time.perf_counter()
    process = subprocess.Popen([*argv, *flags, "-template", f"{source}:{out}"])
    try:
        yield process, started
    finally:
        process.terminate()
        process.wait()


def _change(agent: AgentProcess, out: Path, number: int) -> float:
    """Seconds from the request that changes an instance until the file shows it."""
    time.sleep(0.3)
    port = 9000 + number
    with closing(http.client.HTTPConnection("127.0.0.1", agent.http_port)) as connection:
        connection.connect()
        before, started = out.stat().st_ino, time.perf_counter()
        _register(connection, f"service-{(number * 67) % SERVICES:04}", number % INSTANCES, port)
        _until(lambda: out.stat().st_ino != before)
        took = time.perf_counter() - started
    if f":{port}\n" not in out.read_text():
        raise RuntimeError("the file was written without the change")
    return took


def _until(condition: Callable[[], bool]) -> None:
    latest = time.perf_counter() + PATIENCE
    while not condition():
        if time.perf_counter() > latest:
            raise RuntimeError("it did not happen")
        time.sleep(0.001)


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def _bare_megabytes() -> float:
    program = "print(open('/proc/self/statm').read().split()[1])"
    python = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(python.stdout) * resource.getpagesize() / (1 << 20)
