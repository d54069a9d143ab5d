"""Contracts of deployment: running commands, using the files, work on files; and the errors of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from signal import Signals

    from pyconsul.tools.template.deploy.file_writer import Draft
    from pyconsul.tools.template.spec import Command


class Refused(Exception):
    """A check refuses a file; the text is the check's own."""


class CommandError(Exception):
    """A command failed; the text names it."""


class LoadError(Exception):
    """The files in place could not be loaded; the text says why."""


class FileWork(Protocol):
    """Runs work on files where it does not keep others waiting."""

    async def __call__(self, work: Callable[[], Any]) -> Any:
        """Run the function to its end, even when the caller is cancelled meanwhile, and return its result."""
        ...


class Commands(Protocol):
    """Runs the commands that follow a change."""

    async def run(self, command: Command) -> None:
        """Run it to its end. Raises CommandError."""
        ...


class Consumer(Protocol):
    """The user of the rendered files: a child process, a command, or HAProxy. `run` works beside the runner."""

    #: Whether it must go on running when a template fails.
    must_survive: bool

    def claim(self) -> None:
        """Become the only user of the files, before anything is written. Raises SpawnError."""
        ...

    async def check(self, drafts: Sequence[Draft]) -> str:
        """Return why these files must not be put in place; "" when they may."""
        ...

    def files_ready(self) -> None:
        """Note that all files exist."""
        ...

    async def load(self) -> None:
        """Load the files that are in place; does nothing before the start. Raises LoadError."""
        ...

    async def run(self) -> int:
        """Use the files; returns the exit status when there is nothing more to do."""
        ...

    async def stop(self, *, handover: bool = False) -> None:
        """Stop what was started, in order; with `handover` leave to the next run what that can take over."""
        ...

    def signal(self, sig: Signals) -> None:
        """Pass a signal on."""
        ...
