"""`pyconsul cluster demo`: show a cluster that loses machines and nothing else."""

from __future__ import annotations

import time

from pyconsul.agent.common.options import switch
from pyconsul.cli.context import Context
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.terminal import on_terminal

ABOUT = """Start three servers and two client agents on this machine (in network namespaces as root, else on loopback
addresses), a service on both clients, and HAProxy through pyconsul-template on one of them. Write keys and send
requests without a pause while the leader is killed, a client machine dies, and a cable is cut and mended; show how long
the cluster was without a leader, and how many acknowledged writes were lost. etcd must be installed (Debian:
etcd-server); without HAProxy it goes on without requests. Ctrl-C leaves nothing behind."""

AUDIT_S = 2.0  # between two looks for lost writes


def demo(context: Context) -> int:
    """Run the tour, live on a terminal and line by line elsewhere; then go on until Ctrl-C, or with -once end."""
    from pyconsul.cli.cluster_demo.screen import Screen, commands_of
    from pyconsul.cli.cluster_demo.tour import tour
    from pyconsul.cli.cluster_demo.world import World
    from pyconsul.cli.demo.presentation import interrupt_on_end, show_lines, show_live

    interrupt_on_end()
    with World() as world:
        failures, once = world.visitor.failures, context.args[_ONCE]

        def status() -> Status:
            return Status.FAILURE if world.lost() or failures else Status.OK

        def audit() -> None:
            while True:
                world.lost()
                time.sleep(AUDIT_S)

        if not on_terminal(context) or once:
            return show_lines(context, tour(world), failures, lambda: commands_of(world), status if once else None)
        show_live(context, Screen(world), tour(world), audit)
        context.out(f"{len(world.writer.acknowledged)} writes acknowledged, {world.lost_writes} lost")
        return int(Status.OK)


_ONCE = switch("once", "Run the scripted tour and exit: 0 when nothing acknowledged was lost and no request failed.")
COMMANDS = {"cluster demo": Command(demo, _ONCE, about=ABOUT, http=False)}
