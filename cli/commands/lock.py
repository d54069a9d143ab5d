"""`pyconsul lock`: run a command while a lock or a semaphore slot is held."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from pyconsul.agent.common.options import Args, number, seconds, switch, text
from pyconsul.agent.common.reasons import reason
from pyconsul.cli.child_process import child_words, exit_text
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.lock.protocol import Deadline, Holdable, Lock, Semaphore
from pyconsul.cli.lock.session import Session

#: Seconds between SIGTERM and SIGKILL; within the lock-delay of 15 s.
GRACE = 5.0


class Shutdown(Exception):
    """SIGINT or SIGTERM came before the child ran."""


def lock(context: Context) -> int | None:
    """Acquire, run the child, release, delete the keys. Raises CliError when the lock was not acquired."""
    _check(context.args)
    for number_ in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number_, _shut_down)
    try:
        context.client.get("/v1/agent/self")
    except CliError as error:
        raise during("Error querying Consul agent", error) from None
    words = context.args.rest
    prefix = words[0].removeprefix("/").rstrip("/")
    name = context.args[_NAME] or f"Consul lock for '{' '.join(words[1:])}' at '{prefix}'"
    try:
        with Session(context.client, name) as session:
            return _hold(context, _holdable(context, prefix, session.id))
    except Shutdown:
        raise CliError("Shutdown triggered during lock acquisition") from None


def _check(args: Args) -> None:
    if args[_N] <= 0:
        raise UsageError("Lock holder limit (-n) must be positive")
    if len(args.rest) < 2:
        raise UsageError("Key prefix and child command must be specified")
    if _timeout(args) < 0:
        raise UsageError("Timeout must be positive")
    if args[_MONITOR_RETRY] < 0:
        raise UsageError("Number for 'monitor-retry' must be >= 0")


def _timeout(args: Args) -> float:
    return args[_TIMEOUT] if args.given(_TIMEOUT) else args[_TRY]


def _shut_down(number_: int, frame: object) -> NoReturn:
    raise Shutdown


def _holdable(context: Context, prefix: str, session: str) -> Holdable:
    limit = context.args[_N]
    if limit > 1:
        return Semaphore(context.client, prefix, session, limit)
    return Lock(context.client, f"{prefix}/.lock", session)


def _hold(context: Context, held: Holdable) -> int | None:
    _print_progress(context, f"Attempting lock acquisition at {held.key}")
    try:
        _acquire(context, held)
        failed = Child(context, held).run()
    except Shutdown:
        with suppress(CliError):
            held.release()  # otherwise the session's end would block the lock for the lock-delay
        raise
    try:
        held.release()
        _print_progress(context, "Cleanup succeeded" if held.clean() else "Cleanup aborted, lock in use")
    except CliError as error:
        raise during("Lock release failed", error) from None
    return Status.NO_MATCH if failed and context.args[_CHILD_EXIT_CODE] else None


def _acquire(context: Context, held: Holdable) -> None:
    try:
        acquired = held.acquire(Deadline(_timeout(context.args)))
    except CliError as error:
        raise during("Lock acquisition failed", error) from None
    if not acquired:
        raise CliError("Shutdown triggered or timeout during lock acquisition", Status.CONFLICT)


class Child:
    """The child: gets the signals that we get, and is ended when the lock is lost."""

    def __init__(self, context: Context, held: Holdable) -> None:
        self._context = context
        self._held = held
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = False
        self._monitor_client = context.client.copy()

    def run(self) -> bool:
        """Run it to its end; whether it failed."""
        context = self._context
        words = child_words(context.args.rest[1:], context.environ, shell=context.args[_SHELL])
        environment = {**context.environ, "CONSUL_LOCK_HELD": "true"}
        stdin = None if context.args[_PASS_STDIN] else subprocess.DEVNULL
        sys.stdout.flush()
        for number_ in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number_, self._on_signal)
        try:
            self._process = subprocess.Popen(words, stdin=stdin, env=environment)
        except OSError as error:
            context.note(f"Error starting handler: {reason(error)}")
            return True
        if self._ending:  # a signal came while the child was being started
            self._end()
        threading.Thread(target=self._monitor, daemon=True).start()
        code = self._process.wait()
        if code:
            context.note(f"Error running handler: {exit_text(code)}")
        return code != 0

    def _monitor(self) -> None:
        self._held.wait_until_lost(self._monitor_client, self._context.args[_MONITOR_RETRY])
        if self._process is not None and self._process.returncode is None:
            self._context.note("Lock lost, killing child")
            self._end()

    def _on_signal(self, number_: int, frame: object) -> None:
        _print_progress(self._context, "Shutdown triggered, killing child")
        self._end()

    def _end(self) -> None:
        self._ending = True
        process = self._process
        if process is None:
            return
        process.terminate()
        killer = threading.Timer(GRACE, process.kill)
        killer.daemon = True
        killer.start()


def _print_progress(context: Context, line: str) -> None:
    if context.args[_VERBOSE]:
        context.out(line)
        context.stdout.flush()


_CHILD_EXIT_CODE = switch(
    "child-exit-code", "Exit with status 2 when the child fails; otherwise its exit status is ignored."
)
_N = number("n", "Number of concurrent holders; above 1 the lock is a semaphore.", 1)
_MONITOR_RETRY = number(
    "monitor-retry",
    "Number of consecutive agent errors, 1 s apart, that are tolerated before the lock is released.",
    3,
)
_NAME = text("name", "Name of the lock's session.", metavar="name")
_PASS_STDIN = switch("pass-stdin", "Pass standard input to the child.")
_SHELL = switch("shell", "Run the child through the shell that SHELL names, or /bin/sh.", True)
_TIMEOUT = seconds("timeout", "Maximum wait for the lock, such as 10s.")
_TRY = seconds("try", "The old name of -timeout.")
_VERBOSE = switch("verbose", "Print progress messages.")
COMMANDS = {
    "lock": Command(
        lock,
        _CHILD_EXIT_CODE,
        _N,
        _MONITOR_RETRY,
        _NAME,
        _PASS_STDIN,
        _SHELL,
        _TIMEOUT,
        _TRY,
        _VERBOSE,
        usage="PREFIX CHILD...",
        about="The child finds CONSUL_LOCK_HELD=true in its environment. When the lock is lost the child gets "
        "SIGTERM, and SIGKILL 5 seconds later.",
    ),
}
