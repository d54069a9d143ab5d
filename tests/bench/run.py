#!/usr/bin/env python3
"""Measures pyconsul against bare references in the same run, and prints the ratios.

    python tests/bench/run.py            every measurement
    python tests/bench/run.py dns kv     those whose name contains a word

Only a ratio means anything: both sides ran on the same machine at the same time of day.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console
from rich.table import Table
from support.agent_process import PROGRAM, AgentProcess, running_agent
from support.ports import free_ports

from bench import load, scale
from bench.acl_rows import kv_read_with_a_token
from bench.cluster_rows import CLUSTER
from bench.dns_rows import dns_cached, dns_churn, dns_cold, dns_without_loss
from bench.fairness import fairness
from bench.gossip_rows import gossip_flood, gossip_idle, gossip_memory
from bench.rows import Row, register_web, row
from bench.rpc_rows import rpc_requests
from bench.template_rows import template_1000_services, template_plain_agent, template_shared
from bench.ui_rows import ui
from bench.watchers import wake_watchers

PUT = """
wrk.method = "PUT"
wrk.body = "some value"
local n = 0
request = function() n = n + 1; return wrk.format(nil, "/v1/kv/bench/" .. (n % 1000)) end
"""
REGISTER = """
wrk.method = "PUT"
local n = 0
request = function()
  n = n + 1
  return wrk.format(nil, "/v1/agent/service/register", nil, '{"Name": "s' .. (n % 2000) .. '", "Port": 80}')
end
"""


def kv_read() -> Iterator[Row]:
    with running_agent() as agent:
        agent.put("/v1/kv/bench", b"x" * 10)
        size = len(agent.request("GET", "/v1/kv/bench")[2])
        with load.reference_http(free_ports(1)[0], size) as url:
            reference = load.wrk(url)
            yield row("KV read, 32 clients", load.wrk(f"http://{agent.address}/v1/kv/bench"), reference, "req/s", 0.56)


def health() -> Iterator[Row]:
    with running_agent() as agent:
        register_web(agent)
        path = "/v1/health/service/web?passing"
        with load.reference_http(free_ports(1)[0], 87) as url:
            measured = load.wrk(f"http://{agent.address}{path}")
            yield row("health query, 50 instances", measured, load.wrk(url), "req/s", 0.02)


def durable_write() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        agent = AgentProcess(Path(folder), Path(folder, "data")).start()
        try:
            with load.reference_http(free_ports(1)[0], 4) as url:
                for clients, consul in ((1, 0.05), (32, 0.26)):
                    measured = load.wrk(f"http://{agent.address}/", clients, PUT)
                    name = f"durable KV write, {clients} client{'s' * (clients > 1)}"
                    yield row(name, measured, load.wrk(url), "req/s", consul)
        finally:
            agent.stop()


def registration() -> Iterator[Row]:
    with running_agent() as agent, load.reference_http(free_ports(1)[0], 4) as url:
        measured = load.wrk(f"http://{agent.address}/", 32, REGISTER)
        yield row("service registration, 2,000 services", measured, load.wrk(url), "req/s", 0)


def idle_watchers() -> Iterator[Row]:
    """10,000 blocked queries; the reference is an agent without any."""
    scale.room_for_files(25_000)
    with running_agent(limits={"http_max_conns_per_client": 0}) as agent:
        empty = scale.megabytes(agent)
        alone = scale.write_time(agent, "/v1/kv/unrelated", 200) * 1000
        grown, share, took = asyncio.run(scale.sleepers(agent, 10_000))
        yield row("memory with 10,000 idle watchers", empty + grown, empty, "MB", 0, inverse=True)
        yield row("processor share of 10,000 idle watchers", share, share, "%", 0)
        yield row("KV write among 10,000 idle watchers", took, alone, "ms", 0, inverse=True)


def growth() -> Iterator[Row]:
    """Measure with more and more services, 5 instances each; the reference is an empty catalog."""
    with running_agent() as agent, running_agent() as without:
        empty = scale.megabytes(without)
        for size, used, took, alone in scale.grow(agent, without, (100, 1000, 10_000)):
            yield row(f"memory, {size:,} services x 5", used, empty, "MB", 0, inverse=True)
            yield row(f"registration among {size:,} services x 5", took, alone, "ms", 0, inverse=True)


def watchers() -> Iterator[Row]:
    with running_agent(limits={"http_max_conns_per_client": 0}) as agent:
        took = wake_watchers(agent, 1000)
        with load.reference_http(free_ports(1)[0], 87) as url:
            reference = 1000 / load.wrk(url)
        yield row("1,000 blocked queries woken by a write", took * 1000, reference * 1000, "ms", 0, inverse=True)


def command() -> Iterator[Row]:
    with running_agent() as agent:
        agent.put("/v1/kv/k", b"v")
        program = [str(Path(sys.executable).with_name("pyconsul")), "kv", "get", f"-http-addr={agent.address}", "k"]
        measured = best([*program]) * 1000
        yield row("pyconsul kv get", measured, best([sys.executable, "-c", "pass"]) * 1000, "ms", 4.2, inverse=True)


def one_shot_tool() -> Iterator[Row]:
    with running_agent() as agent:
        agent.put("/v1/kv/app/k", b"v")
        program = [str(Path(sys.executable).with_name("pyenvconsul")), f"-consul-addr={agent.address}", "-prefix=app"]
        python = best([sys.executable, "-c", "pass"]) * 1000
        yield row(
            "pyenvconsul -print dotenv", best([*program, "-print", "dotenv"]) * 1000, python, "ms", 0, inverse=True
        )
        yield row("pyenvconsul -once true", best([*program, "-once", "true"]) * 1000, python, "ms", 0, inverse=True)


def one_shot_template() -> Iterator[Row]:
    """Measure one-shot programs; the reference of Jinja2 templates is the import of Jinja2."""
    with running_agent() as agent, tempfile.TemporaryDirectory() as folder:
        agent.put("/v1/kv/app/k", b"v")
        for name, text, reference in (
            ("in.ctmpl", '{{ key "app/k" }}', "pass"),
            ("in.j2", "{{ key('app/k') }}", "import jinja2"),
        ):
            Path(folder, name).write_text(text)
            program = str(Path(sys.executable).with_name("pyconsul-template"))
            words = [f"-consul-addr={agent.address}", "-once", "-template", f"{folder}/{name}:{folder}/out"]
            measured, bare = best([program, *words]), best([sys.executable, "-c", reference])
            yield row(f"pyconsul-template -once {name}", measured * 1000, bare * 1000, "ms", 0, inverse=True)


def best(argv: list[str], runs: int = 15) -> float:
    """Return the shortest of several runs, in seconds, with compiled modules as an installed program has them."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(argv, check=True, capture_output=True, env=environment)
        times.append(time.perf_counter() - started)
    return min(times)


def memory() -> Iterator[Row]:
    with running_agent() as agent:
        register_web(agent)
        assert agent.process is not None
        pages = int(Path(f"/proc/{agent.process.pid}/statm").read_text().split()[1])
        resident = pages * resource.getpagesize() / (1 << 20)
        program = "print(open('/proc/self/statm').read().split()[1])"
        python = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        bare = int(python.stdout) * resource.getpagesize() / (1 << 20)
        yield row("memory of an agent with 50 services", resident, bare, "MB", 0, inverse=True)


ALL: tuple[Callable[[], Iterator[Row]], ...] = (
    kv_read, kv_read_with_a_token, health, durable_write, registration, dns_cached, dns_churn, dns_cold,
    dns_without_loss, watchers, idle_watchers, fairness, growth, command, one_shot_tool, one_shot_template, memory,
    template_1000_services, template_plain_agent, template_shared, gossip_idle, gossip_memory, gossip_flood, rpc_requests,
    *CLUSTER, ui,
)  # fmt: skip


def main() -> None:
    words = sys.argv[1:]
    table = Table("measurement", "measured", "reference", "ratio", "Consul's ratio")
    for measure in ALL:
        if words and not any(word in measure.__name__ for word in words):
            continue
        for name, measured, reference, unit, ratio, consul in measure():
            shown = f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"
            if unit in ("ms", "MB"):
                shown = f"{measured / reference:.2f}"
            table.add_row(
                name, f"{measured:,.1f} {unit}", f"{reference:,.1f} {unit}", shown, f"{consul}" if consul else ""
            )
    Console(width=110).print(table)


if __name__ == "__main__":
    _ = PROGRAM
    main()
