"""Shows the tour of a demonstration: live on a terminal, line by line elsewhere."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.output.terminal import console

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

SENTENCE_S = 3.0  # to read one
MAX_FAILURES = 5  # that are shown


class Screen(Protocol):
    """The live view; `rich` renders it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult: ...

    def tell(self, sentence: str) -> None:
        """Show a sentence of the tour."""


def interrupt_on_end() -> None:
    """Let every end of the command be one by Ctrl-C: a closed terminal, too, leaves nothing behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def show_lines(
    context: Context,
    tour: Iterable[str],
    failures: Sequence[object],
    commands: Callable[[], Sequence[str]],
    status: Callable[[], Status] | None,
) -> int:
    """Print the tour, then the failures; return what `status` does, or with None go on until Ctrl-C.

    failures: filled while the tour runs.  commands: those to try meanwhile.
    """
    for sentence in tour:
        context.out(sentence)
        context.stdout.flush()
    for failure in failures[:MAX_FAILURES]:
        context.note(f"failed: {failure}")
    if status is not None:
        return int(status())
    context.out("it goes on until Ctrl-C; try:\n  " + "\n  ".join(commands()))
    context.stdout.flush()
    while True:
        time.sleep(1)


def show_live(context: Context, screen: Screen, tour: Iterable[str], after: Callable[[], None]) -> None:
    """Show the tour on a screen until Ctrl-C.  after: runs behind the tour, in its thread."""
    import threading

    from rich.live import Live

    def narrate() -> None:
        try:
            for sentence in tour:
                screen.tell(sentence)
                time.sleep(SENTENCE_S)
            after()
        except CliError as error:
            screen.tell(str(error))

    with console(context) as terminal, Live(screen, console=terminal, refresh_per_second=4, screen=True):
        threading.Thread(target=narrate, daemon=True).start()
        try:
            while True:
                time.sleep(0.2)
        except KeyboardInterrupt:
            pass
