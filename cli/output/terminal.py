"""Output for people at a terminal: colors, live screens, progress.

NO_COLOR (https://no-color.org) takes the colours away, TERM=dumb everything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from pyconsul.cli.output.utf8_locale import draws_utf8

if TYPE_CHECKING:
    from rich.console import Console

    from pyconsul.cli.context import Context


def on_terminal(context: Context) -> bool:
    """Return whether standard output is a terminal that can do more than print lines."""
    return context.tty and context.environ.get("TERM") != "dumb"


@contextmanager
def console(context: Context, stream: BinaryIO | None = None) -> Iterator[Console]:
    """rich's console for standard output, or another stream that is a terminal."""
    import io

    from rich.console import Console

    class AsciiConsole(Console):
        """Draws lines and bars in ASCII; texts keep their characters."""

        @property
        def encoding(self) -> str:
            return "ascii"

    context.stdout.flush()
    kind = Console if draws_utf8(context.environ) else AsciiConsole
    text = io.TextIOWrapper(stream or context.stdout, encoding="utf-8", errors="surrogateescape", write_through=True)
    try:
        yield kind(file=text, force_terminal=True, no_color="NO_COLOR" in context.environ)
    finally:
        text.detach()


def same_terminal(context: Context) -> bool:
    """Return whether standard output and standard error are the same terminal."""
    if not (context.stdout.isatty() and context.stderr.isatty()):
        return False
    return os.fstat(context.stdout.fileno()).st_rdev == os.fstat(context.stderr.fileno()).st_rdev
