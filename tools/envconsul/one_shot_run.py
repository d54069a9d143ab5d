"""Runs of pyenvconsul that read Consul once: `-print` and `-once`, without asyncio and httpx, which take longer to load
than all the rest takes to run. `lifecycle` does the same, and goes on.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from signal import Signals
from types import FrameType

from pyconsul.agent.common.lazy_log import LazyLog
from pyconsul.agent.common.process.child_process import KILLED_STATUS, gets_orphans, has_terminal
from pyconsul.agent.common.process.waited_child import WaitedChild
from pyconsul.tools.consul.one_shot_client import OneShotClient
from pyconsul.tools.envconsul.options import ONCE, PRINT
from pyconsul.tools.envconsul.plan import OverdueError, Plan, reload_plan, variables_of
from pyconsul.tools.envconsul.print_output import render_variables
from pyconsul.tools.exit_codes import Exit
from pyconsul.tools.options.child import EXEC_KILL_SIGNAL, EXEC_KILL_TIMEOUT, EXEC_TIMEOUT
from pyconsul.tools.options.connection import connection_of, retry_of
from pyconsul.tools.options.run import KILL_SIGNAL, MAX_STALE, RELOAD_SIGNAL
from pyconsul.tools.options.settings import Call, Settings
from pyconsul.tools.process.signals import caught_signals, uncatchable

log = LazyLog("envconsul")


class _Interrupted(Exception):
    """A signal that ends the run arrived before the program was started."""

    def __init__(self, sig: Signals) -> None:
        self.sig = sig


def show(plan: Plan) -> int:
    """Print the variables on stdout (`-print`). Raises ConsulError and Unprintable."""
    text = render_variables(_read(plan), plan.settings[PRINT], log.warning)
    sys.stdout.buffer.write(os.fsencode(text))
    sys.stdout.buffer.flush()
    return Exit.OK


def is_one_shot(plan: Plan) -> bool:
    """Return whether `run_once` can carry out the plan: nothing to watch, no orphans to wait for, sigtimedwait exists."""
    settings = plan.settings
    return bool(settings[ONCE] or not plan.sources) and hasattr(signal, "sigtimedwait") and not gets_orphans()


def run_once(call: Call, plan: Plan) -> int | Plan:
    """Run the program until it ends or a signal ends us; returns the exit status, or what the configuration asks for
    after it has been read again. Raises ConsulError, SpawnError and OverdueError.
    """
    caught = caught_signals(plan.settings)
    try:
        with _raising(caught, plan.settings):
            variables = _read(plan)
            _block(caught)
    except _Interrupted as interrupted:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*caught, Signals.SIGCHLD})
        return _unstarted(call, plan, interrupted.sig)
    try:
        return _run(call, plan, variables, caught)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*caught, Signals.SIGCHLD})


def _read(plan: Plan) -> dict[str, str]:
    settings = plan.settings
    client = OneShotClient(connection_of(settings), retry=retry_of(settings), max_stale=settings[MAX_STALE])
    answers = [client.read(source.path, source.params) for source in plan.sources]
    client.close()
    return variables_of(settings, plan.sources, answers, os.environ)


def _block(caught: set[Signals]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {*caught, Signals.SIGCHLD})


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN, a handler is not inherited by the program."""


@contextmanager
def _raising(caught: set[Signals], settings: Settings) -> Iterator[None]:
    """Raise _Interrupted for signals that end the run, once; all others are lost, as there is no program to send them to."""
    ending = {settings[KILL_SIGNAL], settings[RELOAD_SIGNAL], Signals.SIGTERM}

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for sig in caught:
            signal.signal(sig, _ignore)
        raise _Interrupted(Signals(number))

    signal.signal(Signals.SIGCHLD, _ignore)
    for sig in caught:
        try:
            signal.signal(sig, interrupt if sig in ending else _ignore)
        except (ValueError, OSError) as error:
            raise uncatchable(sig) from error
    try:
        yield
    finally:
        for sig in caught:
            signal.signal(sig, _ignore)


def _unstarted(call: Call, plan: Plan, sig: Signals) -> int | Plan:
    if sig == plan.settings[RELOAD_SIGNAL]:
        return reload_plan(call) or plan
    if sig == plan.settings[KILL_SIGNAL]:
        print("Cleaning up...", file=sys.stderr)
        return Exit.INTERRUPT
    return Exit.OK


def _run(call: Call, plan: Plan, variables: dict[str, str], caught: set[Signals]) -> int | Plan:
    settings = plan.settings
    child = WaitedChild(
        plan.program,
        variables,
        kill_signal=settings[EXEC_KILL_SIGNAL] or Signals.SIGKILL,
        kill_timeout=settings[EXEC_KILL_TIMEOUT],
        foreground=has_terminal(),
        blocked={*caught, Signals.SIGCHLD},
    )
    try:
        return _attend(call, child, settings)
    finally:
        if child.running:
            child.stop(None, lambda sig: _hasten(child, sig, settings[KILL_SIGNAL]))


def _attend(call: Call, child: WaitedChild, settings: Settings) -> int | Plan:
    timeout = settings[EXEC_TIMEOUT] or None
    latest = None if timeout is None else time.monotonic() + timeout
    while True:
        end = child.wait(None if latest is None else max(latest - time.monotonic(), 0.0))
        if end is None:
            child.stop(None, lambda sig: _hasten(child, sig, settings[KILL_SIGNAL]))
            raise OverdueError
        if not isinstance(end, Signals):
            return _report(end, child)
        if end == settings[RELOAD_SIGNAL]:
            if (changed := reload_plan(call)) is not None:
                return changed
        elif end in (settings[KILL_SIGNAL], Signals.SIGTERM):
            return _stop(child, end, settings)
        else:
            child.signal(end)


def _hasten(child: WaitedChild, sig: Signals, kill_signal: Signals | None) -> None:
    """Cut the grace period short after a second signal to end."""
    if sig in (kill_signal, Signals.SIGTERM, Signals.SIGINT):
        child.signal(Signals.SIGKILL)


def _stop(child: WaitedChild, sig: Signals, settings: Settings) -> int:
    """End the program in order. The kill signal gives it its own kill signal, SIGTERM is passed on as it is."""
    by_kill_signal = sig == settings[KILL_SIGNAL]
    if by_kill_signal:
        print("Cleaning up...", file=sys.stderr)
    status = child.stop(None if by_kill_signal else sig, lambda again: _hasten(child, again, sig))
    if by_kill_signal:
        return Exit.INTERRUPT
    # A program that SIGTERM has ended has succeeded.
    return Exit.OK if status == KILLED_STATUS else _report(status, child)


def _report(status: int, child: WaitedChild) -> int:
    if status:
        log.error("%s", child.ending)
    return status
