"""`pyconsul cluster demo`: show a cluster that loses machines and nothing else."""

from __future__ import annotations

import signal
import time

from pyconsul.agent.common.options import switch
from pyconsul.cli.context import Context
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.terminal import console, on_terminal

ABOUT = """Start three servers and two client agents on this machine (in network namespaces as root, else on loopback
addresses), a service on both clients, and HAProxy through pyconsul-template on one of them. Write keys and send
requests without a pause while the leader is killed, a client machine dies, and a cable is cut and mended; show how long
the cluster was without a leader, and how many acknowledged writes were lost. etcd must be installed (Debian:
etcd-server); without HAProxy it goes on without requests. Ctrl-C leaves nothing behind."""

SENTENCE_S = 3.0  # to read one
AUDIT_S = 2.0  # between two looks for lost writes


def demo(context: Context) -> int:
    """Run the tour, live on a terminal and line by line elsewhere; then go on until Ctrl-C, or with -once end."""
    from pyconsul.cli.cluster_demo.world import World

    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal, too, leaves nothing behind
        signal.signal(number, signal.default_int_handler)
    with World() as world:
        if on_terminal(context) and not context.args[_ONCE]:
            _live(context, world)
            context.out(f"{len(world.writer.acknowledged)} writes acknowledged, {world.lost_writes} lost")
            return int(Status.OK)
        return _lines(context, world)


def _lines(context: Context, world: object) -> int:
    from pyconsul.cli.cluster_demo.screen import commands_of
    from pyconsul.cli.cluster_demo.tour import tour
    from pyconsul.cli.cluster_demo.world import World

    assert isinstance(world, World)
    for sentence in tour(world):
        context.out(sentence)
        context.stdout.flush()
    for failure in world.visitor.failures[:5]:
        context.note(f"failed: {failure}")
    if context.args[_ONCE]:
        return int(Status.FAILURE if world.lost() or world.visitor.failures else Status.OK)
    context.out("it goes on until Ctrl-C; try:\n  " + "\n  ".join(commands_of(world)))
    context.stdout.flush()
    while True:
        time.sleep(1)


def _live(context: Context, world: object) -> None:
    import threading

    from rich.live import Live

    from pyconsul.cli.cluster_demo.screen import Screen
    from pyconsul.cli.cluster_demo.tour import tour
    from pyconsul.cli.cluster_demo.world import World
    from pyconsul.cli.errors import CliError

    assert isinstance(world, World)
    screen = Screen(world)

    def narrate() -> None:
        try:
            for sentence in tour(world):
                screen.tell(sentence)
                time.sleep(SENTENCE_S)
            while True:
                world.lost()
                time.sleep(AUDIT_S)
        except CliError as error:
            screen.tell(str(error))

    with console(context) as terminal, Live(screen, console=terminal, refresh_per_second=4, screen=True):
        threading.Thread(target=narrate, daemon=True).start()
        try:
            while True:
                time.sleep(0.2)
        except KeyboardInterrupt:
            pass


_ONCE = switch("once", "Run the scripted tour and exit: 0 when nothing acknowledged was lost and no request failed.")
COMMANDS = {"cluster demo": Command(demo, _ONCE, about=ABOUT, http=False)}
