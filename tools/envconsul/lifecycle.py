"""Signals during a run of pyenvconsul: end in order, read the configuration again, or pass them on to the child."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from contextlib import suppress
from signal import Signals

from pyconsul.agent.common.process.child_process import KILLED_STATUS
from pyconsul.agent.common.process.reaper import reaping
from pyconsul.tools.consul.client import ConsulClient
from pyconsul.tools.envconsul.plan import Plan, reload_plan
from pyconsul.tools.envconsul.runner import Runner
from pyconsul.tools.exit_codes import Exit
from pyconsul.tools.options.connection import connection_of, retry_of
from pyconsul.tools.options.run import KILL_SIGNAL, MAX_STALE, RELOAD_SIGNAL
from pyconsul.tools.options.settings import Call, Settings
from pyconsul.tools.process.signals import catch_signals, next_signal
from pyconsul.tools.restart_limit import Unlimited, restart_limit_of

log = logging.getLogger("envconsul")


async def run_with_signals(call: Call, plan: Plan, rng: random.Random) -> int:
    """Run until the child ends or a signal ends us; returns the exit status. Raises ConsulError and SpawnError."""
    signals = catch_signals(plan.settings)
    async with reaping():
        while True:
            end = await _one_run(call, plan, signals, rng)
            if not isinstance(end, Plan):
                return end
            plan = end


async def _one_run(call: Call, plan: Plan, signals: asyncio.Queue[Signals], rng: random.Random) -> int | Plan:
    """Return the exit status, or the plan of the next run after the configuration was read again."""
    settings = plan.settings
    limit = restart_limit_of(settings, rng, "pyenvconsul") or Unlimited()
    client = ConsulClient(
        connection_of(settings), rng=rng, retry=retry_of(settings), max_stale=settings[MAX_STALE], plain_reads=True
    )
    runner = Runner(settings, plan.sources, os.environ, rng, client, limit)
    running = asyncio.ensure_future(runner.run(plan.program))
    try:
        while True:
            end = await _until_end(runner, running, signals, plan.settings)
            if not isinstance(end, Signals):
                return _report(end, runner)
            if end != plan.settings[RELOAD_SIGNAL]:
                await _cancel(running)
                return await _stop(runner, end, signals, plan.settings)
            if (changed := reload_plan(call)) is not None:
                return changed
    finally:
        await _cancel(running)
        await runner.stop()
        await client.close()


async def _until_end(
    runner: Runner, running: asyncio.Future[int], signals: asyncio.Queue[Signals], settings: Settings
) -> int | Signals:
    """Return the child's exit status, or the signal that ends this run; other signals are passed on."""
    while True:
        sig = await next_signal(running, signals)
        if sig is None:
            return running.result()
        if sig in (settings[KILL_SIGNAL], settings[RELOAD_SIGNAL], Signals.SIGTERM):
            return sig
        runner.signal(sig)


def _report(status: int, runner: Runner) -> int:
    if status:
        log.error("%s", runner.ending)
    return status


async def _cancel(running: asyncio.Future[int]) -> None:
    running.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await running


async def _stop(runner: Runner, sig: Signals, signals: asyncio.Queue[Signals], settings: Settings) -> int:
    """Stop the child; a second signal to end cuts the grace period short.

    After the kill signal of this program the child gets its own kill signal; SIGTERM is passed on.
    """
    by_kill_signal = sig == settings[KILL_SIGNAL]
    if by_kill_signal:
        print("Cleaning up...", file=sys.stderr)
    stopping = asyncio.ensure_future(runner.stop(None if by_kill_signal else sig))
    while (again := await next_signal(stopping, signals)) is not None:
        if again in (sig, Signals.SIGTERM, Signals.SIGINT):
            runner.signal(Signals.SIGKILL)
    status = stopping.result()
    if by_kill_signal:
        return Exit.INTERRUPT
    # A program that SIGTERM has ended has succeeded.
    return Exit.OK if status in (None, KILLED_STATUS) else _report(status, runner)
