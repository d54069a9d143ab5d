"""Signals during a run of pyconsul-template: end in order, read the configuration again, or pass them on."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from contextlib import suppress
from functools import partial
from signal import Signals
from typing import TYPE_CHECKING

from pyconsul.agent.common.process.reaper import reaping
from pyconsul.agent.common.process.sd_notify import Notifier
from pyconsul.tools.exit_codes import Exit
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.run import KILL_SIGNAL, RELOAD_SIGNAL
from pyconsul.tools.process.signals import catch_signals, next_signal
from pyconsul.tools.template.assembly import make_client, make_runner
from pyconsul.tools.template.evaluate.contract import BrokenTemplate, TemplateError
from pyconsul.tools.template.options.status import STATUS_ADDRESS
from pyconsul.tools.template.plan import Plan, load, make_plan
from pyconsul.tools.template.report.counters import Counters
from pyconsul.tools.template.spec import SpecError
from pyconsul.tools.template.status.overview import run_report
from pyconsul.tools.template.status.serve_status import serve_status

if TYPE_CHECKING:
    from pyconsul.tools.consul.client import ConsulClient
    from pyconsul.tools.options.settings import Call
    from pyconsul.tools.template.deploy.runner import Runner
    from pyconsul.tools.template.feed.handover import Handover

log = logging.getLogger("template")


async def run_with_signals(call: Call, plan: Plan, handover: Handover | None = None) -> int:
    """Run until all is done, the child ends, or a signal ends us; returns the exit status. `handover`: from a one-shot run.

    Raises what `Runner.run` raises.
    """
    notifier = Notifier.take(os.environ)
    signals = catch_signals(plan.settings)
    for sig in handover.signals if handover is not None else ():
        signals.put_nowait(sig)
    alive = asyncio.create_task(notifier.heartbeat())
    try:
        async with reaping():
            while True:
                end = await _one_run(call, plan, signals, notifier, handover)
                handover = None
                if not isinstance(end, Plan):
                    notifier.stopping()
                    return end
                plan = end
    finally:
        alive.cancel()


async def _one_run(
    call: Call, plan: Plan, signals: asyncio.Queue[Signals], notifier: Notifier, handover: Handover | None
) -> int | Plan:
    """Return the exit status; or another plan, which cannot be adopted by the run that goes on."""
    rng, counters = random.Random(), Counters()
    client = make_client(plan.settings, rng)
    runner = make_runner(plan, client, rng, counters, handover)
    async with serve_status(
        plan.settings[STATUS_ADDRESS], notifier, partial(run_report, runner), counters, runner.release
    ):
        return await _until_end(call, plan, runner, client, signals, notifier)


async def _until_end(
    call: Call,
    plan: Plan,
    runner: Runner,
    client: ConsulClient,
    signals: asyncio.Queue[Signals],
    notifier: Notifier,
) -> int | Plan:
    running = asyncio.ensure_future(runner.run())
    handover = False
    try:
        while True:
            sig = await next_signal(running, signals)
            if sig is None:
                return running.result()
            if sig in (plan.settings[KILL_SIGNAL], Signals.SIGTERM):
                print("Cleaning up...", file=sys.stderr)
                return Exit.INTERRUPT
            if sig != plan.settings[RELOAD_SIGNAL]:
                runner.signal(sig)
                continue
            notifier.reloading()
            if (changed := _reload(call)) is not None:
                if changed.base != plan.base:
                    handover = changed.feeds == plan.feeds
                    return changed
                plan = changed
                runner.adopt(plan.deployables)
            notifier.ready()
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await running
        await _stop(runner, signals, handover=handover)
        await client.close()


async def _stop(runner: Runner, signals: asyncio.Queue[Signals], *, handover: bool) -> None:
    """End what was started, in order; a second signal to end cuts the grace period short."""
    stopping = asyncio.ensure_future(runner.stop(handover=handover))
    while (sig := await next_signal(stopping, signals)) is not None:
        if sig in (Signals.SIGTERM, Signals.SIGINT):
            runner.signal(Signals.SIGKILL)
    stopping.result()


def _reload(call: Call) -> Plan | None:
    """Read configuration and templates again; bad ones are reported, and the old ones stay (None).

    Raises BrokenTemplate for a template whose errors end the program.
    """
    print("Reloading configuration...", file=sys.stderr)
    try:
        return make_plan(load(call))
    except BrokenTemplate:
        raise
    except (ConfigError, SpecError, TemplateError) as error:
        log.error("reload failed, configuration and templates unchanged: %s", error)
        return None
