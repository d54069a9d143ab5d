"""Follow a watch: blocking queries until there is a change, through outages, restarts of the agent and SIGHUP."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from pyconsul.agent.common.watch_plan import Plan
from pyconsul.cli.context import Context
from pyconsul.cli.errors import ApiError, CliError
from pyconsul.cli.http.connection import Dropped

#: Backoff after consecutive errors: the first value times the square of their number, at most the second one.
RETRY_S, MAX_RETRY_S = 5.0, 180.0


class Interrupted(Exception):
    """SIGHUP came while the watch was waiting."""


class Hangup:
    """SIGHUP: read token and certificates again and continue at the same index.

    It interrupts waiting only; a response that is being processed is processed to its end. A SIGHUP of a closed terminal
    ends the program, as by default.
    """

    def __init__(self) -> None:
        self._terminal = _has_terminal()
        self._waiting = False
        self.pending = False
        signal.signal(signal.SIGHUP, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        if self._terminal and not _has_terminal():
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGHUP)
        self.pending = True
        if self._waiting:
            self._waiting = False
            raise Interrupted

    def acknowledge(self) -> None:
        """Note that the signal is being handled."""
        self.pending = False

    def __enter__(self) -> None:
        self._waiting = True
        if self.pending:
            self._waiting = False
            raise Interrupted

    def __exit__(self, *error: object) -> None:
        self._waiting = False


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


class Follower:
    """The changes of one watch, one after the other. `sleep` pauses for a number of seconds."""

    def __init__(
        self,
        context: Context,
        plan: Plan,
        hangup: Hangup | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._context = context
        self._plan = plan
        self._hangup = hangup
        self._failures = 0

    def next(self) -> tuple[int, Any]:
        """Wait for the next change; return its index and data. Errors are reported and retried without end."""
        while True:
            try:
                with self._hangup or nullcontext():
                    index, answer = self._ask()
            except Interrupted:
                self._reload()
                continue
            except Dropped:  # the agent may have been restarted meanwhile
                self._plan.resume()
                continue
            except CliError as error:
                self._fail(error)
                continue
            self._failures = 0
            if index < self._plan.known and self._plan.kind != "event":
                self._context.note(
                    f"Watch (type: {self._plan.kind}): the agent's index went back from {self._plan.known} to "
                    f"{index}: its state was replaced. Going on with what it has now."
                )
            news, data = self._plan.step(index, answer)
            if news:
                return index, data

    def _ask(self) -> tuple[int, Any]:
        plan = self._plan
        response = self._context.client.request("GET", plan.path, plan.question(), again=False)
        answer = None if response.status == 404 else response.checked().json()
        if answer is None and plan.kind not in ("key", "keyprefix"):
            raise ApiError(response.status, response.text())
        return response.index, answer

    def _fail(self, error: CliError) -> None:
        self._failures += 1
        delay = min(RETRY_S * self._failures**2, MAX_RETRY_S)
        reason = str(error).partition("\n")[0]
        self._context.note(f"Watch (type: {self._plan.kind}) errored: {reason} Retry in {delay:g}s")
        self._plan.resume()
        try:
            with self._hangup or nullcontext():
                self._sleep(delay)
        except Interrupted:
            self._reload()

    def _reload(self) -> None:
        assert self._hangup is not None
        self._hangup.acknowledge()
        self._context.client.close()  # it may have been interrupted within an answer
        try:
            self._context.renew_client()
        except CliError as error:
            self._context.note(f"Watch (type: {self._plan.kind}): nothing is reloaded: {error}")
        else:
            self._context.note(f"Watch (type: {self._plan.kind}): reloaded, going on at index {self._plan.known}")
