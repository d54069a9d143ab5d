"""A progress bar on standard error for long work on a terminal.

with Progress(context, "Importing", total=size) as progress:
    for piece in pieces:
        progress.advance(len(piece))
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from pyconsul.cli.output.terminal import console, same_terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from pyconsul.cli.context import Context

#: Seconds after which the bar is shown.
DELAY = 1.0


class Progress:
    """Counts octets of `total` (0 when that is unknown); nothing of rich is loaded before the bar is shown."""

    def __init__(self, context: Context, what: str, total: int = 0, *, wanted: bool = True) -> None:
        self._context = context
        self._what = what
        self._total = total
        self._done = 0
        self._since = time.monotonic()
        self._wanted = wanted and context.stderr.isatty() and context.environ.get("TERM") != "dumb"
        self._one_terminal = self._wanted and same_terminal(context)
        self._stack = ExitStack()
        self._bar: tuple[Bar, TaskID] | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def advance(self, octets: int) -> None:
        """Count octets that are done."""
        self._done += octets
        if not self._wanted:
            return
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, completed=self._done)
        elif time.monotonic() - self._since >= DELAY:
            self._show()

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the pieces; each is counted when the next one is requested."""
        for piece in pieces:
            yield piece
            self.advance(len(piece))

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines on standard output, above the bar where both are on one terminal."""
        if self._bar is None or not self._one_terminal:
            for line in lines:
                self._context.out(line)
            return
        from rich.text import Text

        # Standard error and standard output share the terminal: direct output would be drawn over.
        self._bar[0].console.print(Text("\n".join(lines)), soft_wrap=True)

    def _show(self) -> None:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as Bar

        screen = self._stack.enter_context(console(self._context, self._context.stderr))
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        bar = self._stack.enter_context(Bar(*columns, console=screen, transient=True))
        self._bar = bar, bar.add_task(self._what, total=self._total or None, completed=self._done)
