"""`pyconsul demo`: show the agent, templates and HAProxy at work."""

from __future__ import annotations

import signal
import time

from pyconsul.agent.common.options import switch
from pyconsul.cli.context import Context
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.terminal import console, on_terminal

ABOUT = """Start a dev agent, three small web servers with HTTP checks, and HAProxy through pyconsul-template, all on this
machine; send steady requests through HAProxy; let an instance fail, add another, break the template and mend it; and
show what happens meanwhile. HAProxy is installed when it is absent and you are root. Ctrl-C leaves nothing behind."""


def demo(context: Context) -> int:
    """Run the tour, live on a terminal and line by line elsewhere; then go on until Ctrl-C, or with -once end."""
    from pyconsul.cli.demo.requirements import ensure_haproxy
    from pyconsul.cli.demo.world import World

    ensure_haproxy(context.note)
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal, too, leaves nothing behind
        signal.signal(number, signal.default_int_handler)
    with World() as world:
        if on_terminal(context) and not context.args[_ONCE]:
            _live(context, world)
            context.out(f"{world.traffic.total} requests answered, {len(world.traffic.failures)} failed")
            return int(Status.OK)
        return _lines(context, world)


def _lines(context: Context, world: object) -> int:
    from pyconsul.cli.demo.screen import commands
    from pyconsul.cli.demo.tour import tour
    from pyconsul.cli.demo.world import World

    assert isinstance(world, World)
    for sentence in tour(world):
        context.out(sentence)
        context.stdout.flush()
    for failure in world.traffic.failures[:5]:
        context.note(f"failed: {failure}")
    if context.args[_ONCE]:
        return int(Status.FAILURE if world.traffic.failures else Status.OK)
    context.out("it goes on until Ctrl-C; try:\n  " + "\n  ".join(commands(world)))
    context.stdout.flush()
    while True:
        time.sleep(1)


def _live(context: Context, world: object) -> None:
    import threading

    from rich.live import Live

    from pyconsul.cli.demo.screen import Screen
    from pyconsul.cli.demo.tour import tour
    from pyconsul.cli.demo.world import World
    from pyconsul.cli.errors import CliError

    assert isinstance(world, World)
    screen = Screen(world)

    def narrate() -> None:
        try:
            for sentence in tour(world):
                screen.tell(sentence)
                time.sleep(3)
        except CliError as error:
            screen.tell(str(error))

    with console(context) as terminal, Live(screen, console=terminal, refresh_per_second=4, screen=True):
        threading.Thread(target=narrate, daemon=True).start()
        try:
            while True:
                time.sleep(0.2)
        except KeyboardInterrupt:
            pass


_ONCE = switch("once", "Run the scripted tour and exit: 0 when no request failed.")
COMMANDS = {"demo": Command(demo, _ONCE, about=ABOUT, http=False)}
