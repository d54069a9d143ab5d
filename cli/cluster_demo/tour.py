"""The scripted tour: the leader is killed, a client machine dies, a cable is cut and mended."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pyconsul.cli.cluster_demo.world import CLIENTS, Agent, World


def tour(world: World) -> Iterator[str]:
    """Run the tour; yield a sentence after each verified step."""
    began = time.monotonic()
    world.start_agents()
    leader = world.wait_for_leader()
    yield (
        f"three servers and two client agents run on {world.kind}: one cluster after"
        f" {time.monotonic() - began:.1f} s, {leader.name} leads"
    )
    world.start_service()
    world.start_writer()
    world.wait_for_writes()
    yield "a client writes keys through the agent c1, one after the other"
    if world.has_haproxy:
        world.start_haproxy()
        world.wait("both instances in HAProxy", lambda: world.served() == {f"web-{name}" for name in CLIENTS})
        yield "`web` runs on c1 and c2; pyconsul-template on c1 runs HAProxy, and requests go through it"
    else:
        yield "HAProxy is not installed (Debian: apt-get install haproxy): it goes on without requests to `web`"
    yield from _kill_the_leader(world, leader)
    yield from _kill_a_client(world)
    yield from _cut_a_cable(world)
    yield summary(world)


def _kill_the_leader(world: World, leader: Agent) -> Iterator[str]:
    world.writer.forget_pauses()
    leader.power_off()
    following = world.wait_for_leader(other_than=leader)
    world.wait_for_writes()
    yield (
        f"the machine of the leader {leader.name} is powered off: {following.name} leads, and writes were"
        f" acknowledged again after {world.writer.longest_pause:.1f} s"
    )
    world.power_on(leader)
    took = world.wait(f"{leader.name} to be back", lambda: leader.ask("GET", "/v1/kv/demo/ready/c1").status == 200)
    yield f"{leader.name} is switched on, and answers again after {took:.1f} s; {_writes(world)}"


def _kill_a_client(world: World) -> Iterator[str]:
    client = world.clients[1]
    name = f"web-{client.name}"
    client.power_off()
    took = world.wait(f"{name} to be critical", lambda: name not in _passing(world))
    yield f"the machine of the client {client.name} is powered off: {name} is critical after {took:.1f} s"
    if world.has_haproxy:
        took += world.wait(f"{name} to be out of HAProxy", lambda: name not in world.served())
        yield f"HAProxy sends nothing to {name} any more after {took:.1f} s; {_requests(world)}"
    world.power_on(client)
    took = world.wait(f"{name} to be back", lambda: name in _passing(world))
    yield f"{client.name} is switched on: {name} is passing after {took:.1f} s"


def _cut_a_cable(world: World) -> Iterator[str]:
    leader = world.wait_for_leader()
    world.writer.forget_pauses()
    leader.machine.cut()
    following = world.wait_for_leader(other_than=leader)
    world.wait_for_writes()
    yield (
        f"the cable of the leader {leader.name} is cut: {following.name} leads, and writes were acknowledged again"
        f" after {world.writer.longest_pause:.1f} s"
    )
    leader.machine.mend()
    took = world.wait(f"{leader.name} to follow", lambda: world.leader() is not None)
    yield f"the cable is mended: {leader.name} follows after {took:.1f} s; {_writes(world)}"


def _passing(world: World) -> set[str]:
    rows = world.clients[0].ask("GET", "/v1/health/service/web?passing").json or []
    return {row["Service"]["ID"] for row in rows}


def _writes(world: World) -> str:
    lost = len(world.lost())
    return f"{len(world.writer.acknowledged)} writes acknowledged, {lost} lost"


def _requests(world: World) -> str:
    return f"{world.visitor.total} requests answered, {len(world.visitor.failures)} failed"


def summary(world: World) -> str:
    """Return the counts of everything up to now."""
    parts = [_writes(world)]
    if world.has_haproxy:
        parts.append(_requests(world))
    return "; ".join(parts)
