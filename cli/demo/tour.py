"""The scripted tour: the steps of the demonstration."""

from __future__ import annotations

from collections.abc import Iterator

from pyconsul.cli.demo.world import World

BROKEN = "\nbackend broken_backend\n    no_such_keyword\n"


def tour(world: World) -> Iterator[str]:
    """Run the tour; yield a sentence after each verified step."""
    world.start_agent()
    yield f"agent runs: HTTP on {world.http}, DNS on {world.dns}, web interface http://127.0.0.1:{world.http}/ui/"
    world.start_backends()
    yield f"three {world.kind}"
    world.start_template()
    took = world.wait("all three in HAProxy", lambda: world.served_by_haproxy() == {"web-1", "web-2", "web-3"})
    yield f"pyconsul-template rendered haproxy.cfg and started HAProxy on {world.frontend}"
    world.wait("answers of all three", lambda: {"web-1", "web-2", "web-3"} <= set(world.traffic.answers))
    yield "requests go through HAProxy to all three"

    world.backends["web-2"].set_health(False)
    took = world.wait("web-2 to be gone", lambda: "web-2" not in world.served_by_haproxy())
    yield f"web-2 fails its check: gone from HAProxy after {took:.1f} s"
    world.add_backend("web-4")
    took = world.wait("web-4 to serve", lambda: world.traffic.answers["web-4"] > 0)
    yield f"web-4 is registered: it serves after {took:.1f} s"

    good = world.template.read_text()
    world.change_template(good + BROKEN)
    before = world.config.read_text()
    world.wait("the refusal", lambda: "no_such_keyword" in world.tool_log.read_text(errors="replace"))
    count = world.traffic.total
    world.wait("traffic to go on", lambda: world.traffic.total > count + 20)
    yield "a broken template is refused with HAProxy's own message, and traffic goes on" + (
        "" if world.config.read_text() == before else " (but haproxy.cfg changed!)"
    )
    reloads = world.reloads()
    world.change_template(good.replace("retries 3", "retries 2"))
    took = world.wait("the reload", lambda: world.reloads() > reloads)
    yield f"the template is mended, with another number of retries: HAProxy reloads after {took:.1f} s"
    world.backends["web-2"].set_health(True)
    took = world.wait("web-2 to be back", lambda: "web-2" in world.served_by_haproxy())
    yield f"web-2 recovers: back after {took:.1f} s"
    if command := world.retire_backend("web-1"):
        took = world.wait("web-1 to be gone", lambda: "web-1" not in world.served_by_haproxy())
        yield f"`{command}`: web-1 is out of HAProxy, then stopped"
    yield f"reloads of HAProxy: {world.reloads()}; changes without a reload: {world.runtime_changes()}"
    failures = len(world.traffic.failures)
    yield f"{world.traffic.total} requests answered, {failures} failed"
