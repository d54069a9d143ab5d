"""DNS answers: cached, while registrations go on, and each for the first time; against a bare UDP echo of the same bytes."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import dns.message
import dns.query
from support.agent_process import AgentProcess, running_agent
from support.ports import free_ports

from bench import load
from bench.rows import Row, register_web, row

PAUSE = 0.01  # seconds between two registrations
COLD = 30_000  # names, each asked once


def reference(agent: AgentProcess, question: str) -> float:
    """Questions a second of an echo of the agent's own answer."""
    query = dns.message.make_query(*question.split(), use_edns=0, payload=4096)
    answer = dns.query.udp(query, "127.0.0.1", port=agent.dns_port, timeout=5)
    port = free_ports(1)[0]
    with load.reference_udp(port, answer.to_wire()):
        return load.dnsperf(port, [question])


def dns_cached() -> Iterator[Row]:
    with running_agent() as agent:
        register_web(agent)
        for rdtype, consul in (("SRV", 0.026), ("A", 0.06)):
            question = f"web.service.consul {rdtype}"
            echo = reference(agent, question)
            yield row(f"DNS {rdtype} of 50 instances", load.dnsperf(agent.dns_port, [question]), echo, "q/s", consul)


def dns_churn() -> Iterator[Row]:
    """Measure the same while the service changes every 10 ms."""
    with running_agent() as agent:
        register_web(agent)
        stop = threading.Event()

        def register() -> None:
            for port in itertools.count(9000):
                if stop.wait(PAUSE):
                    return
                service = {"ID": "web-0", "Service": "web", "Port": 9000 + port % 1000, "Tags": ["v1"]}
                agent.put("/v1/catalog/register", {"Node": "node-0", "Address": "10.0.0.1", "Service": service})

        for rdtype in ("SRV", "A"):
            question = f"web.service.consul {rdtype}"
            echo = reference(agent, question)
            stop.clear()
            worker = threading.Thread(target=register)
            worker.start()
            try:
                measured = load.dnsperf(agent.dns_port, [question])
            finally:
                stop.set()
                worker.join()
            yield row(f"DNS {rdtype} of 50 instances, a registration every 10 ms", measured, echo, "q/s", 0)


def dns_cold() -> Iterator[Row]:
    """Measure questions that are asked once: each name has another mixture of capitals."""
    with running_agent() as agent:
        register_web(agent)
        mixtures = itertools.product(*((c.lower(), c.upper()) for c in "webserviceconsul"))
        names = [
            "{}.{}.{}".format("".join(m[:3]), "".join(m[3:10]), "".join(m[10:]))
            for m in itertools.islice(mixtures, COLD)
        ]
        for rdtype in ("SRV", "A"):
            echo = reference(agent, f"web.service.consul {rdtype}")
            measured = load.dnsperf(agent.dns_port, [f"{name} {rdtype}" for name in names], once=True)
            yield row(f"DNS {rdtype} of 50 instances, every name new", measured, echo, "q/s", 0)


def dns_without_loss() -> Iterator[Row]:
    """Ten seconds at full rate; a lost answer is an error."""
    with running_agent() as agent:
        register_web(agent)
        rdtypes = ("web.service.consul SRV", "web.service.consul A", "node-7.node.consul A", "nothing.service.consul A")
        measured = load.dnsperf(agent.dns_port, list(rdtypes), seconds=10)
        yield row("DNS, four questions for 10 s, none lost", measured, measured, "q/s", 0)
