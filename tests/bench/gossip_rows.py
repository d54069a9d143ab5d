"""The cost of gossip for an agent: among 50 members while nothing happens, for each member it knows, and in a flood of events."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.agent_process import AgentProcess, running_agent
from support.eventually import eventually

from bench import load
from bench.rows import Row, row
from bench.scale import megabytes, processor_seconds
from pyconsul.agent.gossip.consul.tags import client_tags
from pyconsul.agent.gossip.driver.frames import Frames
from pyconsul.agent.gossip.driver.opening import VERSIONS
from pyconsul.agent.gossip.driver.streams import StreamClient, StreamCodec
from pyconsul.agent.gossip.serf.addresses import ip_bytes
from pyconsul.agent.gossip.wire.messages import STATE_ALIVE, Address, PushPull, PushPullNode
from pyconsul.agent.gossip.wire.serf_payloads import encode_tags

HERE = Path(__file__).resolve().parent
MEMBERS = 50  # the agent included
PROCESSES = 5  # that the others share
SETTLE_S = 20.0
IDLE_S = 30.0
KNOWN = 2000  # members of which the memory is measured
EVENTS_PER_S = 10_000
#: The timing of a server; -dev probes ten times as often.
LAN = {"gossip_interval": "200ms", "probe_interval": "1s", "probe_timeout": "500ms", "suspicion_mult": 4}


def gossip_idle() -> Iterator[Row]:
    """The reference is the same agent, alone in its pool."""
    with running_agent(log_level="warn", gossip_lan=LAN) as agent:
        time.sleep(SETTLE_S)
        alone = _share(agent)
        with _crowd(agent):
            eventually(lambda: len(agent.get("/v1/agent/members")) == MEMBERS)
            time.sleep(SETTLE_S)
            yield row(
                f"gossip: processor share in an idle pool of {MEMBERS}", _share(agent), alone, "%", 0, inverse=True
            )


def gossip_memory() -> Iterator[Row]:
    """With the member's node and check in the catalog; the reference is what the member says of itself, as bytes on the wire."""
    with running_agent(log_level="error") as agent:
        nodes = tuple(_node(number) for number in range(KNOWN))
        before = megabytes(agent)
        asyncio.run(_push(agent, nodes))
        eventually(lambda: len(agent.get("/v1/catalog/nodes")) > KNOWN)
        used = (megabytes(agent) - before) * 1024 / KNOWN
        said = sum(len(node.meta) + len(node.name) + 30 for node in nodes) / KNOWN / 1024
        yield row("gossip: memory per known member", used, said, "KB", 0, inverse=True)


def gossip_flood() -> Iterator[Row]:
    """KV reads while events arrive; the reference is the same agent without them."""
    with running_agent(log_level="error") as agent:
        agent.put("/v1/kv/bench", b"x" * 10)
        url = f"http://{agent.address}/v1/kv/bench"
        calm = load.wrk(url)
        flood = subprocess.Popen(
            [sys.executable, str(HERE / "gossip_flood.py"), str(agent.lan_port), str(EVENTS_PER_S)]
        )
        try:
            eventually(lambda: int(agent.get("/v1/agent/self")["Stats"]["serf_lan"]["event_time"]) > EVENTS_PER_S / 10)
            yield row(f"KV read, 32 clients, {EVENTS_PER_S:,} events/s", load.wrk(url, seconds=8), calm, "req/s", 0)
        finally:
            flood.kill()
            flood.wait()
        waiting = int(agent.get("/v1/agent/self")["Stats"]["serf_lan"]["event_queue"])
        yield row("gossip: events that wait after the flood", waiting, 5120, "events", 0, inverse=True)


def _share(agent: AgentProcess) -> float:
    used, started = processor_seconds(agent), time.perf_counter()
    time.sleep(IDLE_S)
    return 100 * (processor_seconds(agent) - used) / (time.perf_counter() - started)


@contextlib.contextmanager
def _crowd(agent: AgentProcess) -> Iterator[None]:
    """The other members."""
    each = (MEMBERS - 1 + PROCESSES - 1) // PROCESSES
    program, peer = str(HERE / "gossip_crowd.py"), f"127.0.0.1:{agent.lan_port}"
    processes = []
    for first in range(1, MEMBERS, each):
        words = [str(first), str(min(first + each, MEMBERS) - 1), str(agent.lan_port), peer]
        processes.append(subprocess.Popen([sys.executable, program, *words]))
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _node(number: int) -> PushPullNode:
    tags = client_tags(node_id=f"00000000-0000-0000-0000-{number:012d}", datacenter="dc1", build="1.21.4:bench")
    ip = bytes((127, 1, number >> 8, number & 255))
    return PushPullNode(f"member-{number}", ip, 8301, encode_tags(tags), 1, STATE_ALIVE, VERSIONS)


async def _push(agent: AgentProcess, nodes: tuple[PushPullNode, ...]) -> None:
    """Tell an agent of members."""
    with ThreadPoolExecutor(1) as executor:
        client = StreamClient(StreamCodec(Frames((), verify_incoming=True, verify_outgoing=True), executor))
        address = Address(ip_bytes("127.0.0.1"), agent.lan_port)
        await client.ask(address, lambda: PushPull(False, nodes), 10.0)
