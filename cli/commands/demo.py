"""`pyconsul demo`: show the agent, templates and HAProxy at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyconsul.agent.common.options import switch
from pyconsul.cli.context import Context
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.terminal import on_terminal

if TYPE_CHECKING:
    from pyconsul.cli.demo.world import World

ABOUT = """Start a dev agent, three small web servers with HTTP checks, and HAProxy through pyconsul-template, all on this
machine; send steady requests through HAProxy; let an instance fail, add another, break the template and mend it; and
show what happens meanwhile. HAProxy is installed when it is absent and you are root. Ctrl-C leaves nothing behind.

With -docker the web servers are containers of the engine at DOCKER_HOST or /var/run/docker.sock, and pyconsul registrator
registers them; their image is made of this machine's busybox, and nothing is downloaded."""


def demo(context: Context) -> int:
    """Run the tour, live on a terminal and line by line elsewhere; then go on until Ctrl-C, or with -once end."""
    from pyconsul.cli.demo.presentation import interrupt_on_end, show_lines, show_live
    from pyconsul.cli.demo.requirements import ensure_haproxy
    from pyconsul.cli.demo.screen import Screen, commands
    from pyconsul.cli.demo.tour import tour

    ensure_haproxy(context.note)
    interrupt_on_end()
    with _world(context) as world:
        failures, once = world.traffic.failures, context.args[_ONCE]

        def status() -> Status:
            return Status.FAILURE if failures else Status.OK

        if not on_terminal(context) or once:
            return show_lines(context, tour(world), failures, lambda: commands(world), status if once else None)
        show_live(context, Screen(world), tour(world), lambda: None)
        context.out(f"{world.traffic.total} requests answered, {len(failures)} failed")
        return int(Status.OK)


def _world(context: Context) -> World:
    if context.args[_DOCKER]:
        from pyconsul.cli.demo.containers import ContainerWorld

        return ContainerWorld(context.note)
    from pyconsul.cli.demo.world import World

    return World()


_DOCKER = switch("docker", "Use containers instead of plain processes; pyconsul registrator registers them.")
_ONCE = switch("once", "Run the scripted tour and exit: 0 when no request failed.")
COMMANDS = {"demo": Command(demo, _ONCE, _DOCKER, about=ABOUT, http=False)}
