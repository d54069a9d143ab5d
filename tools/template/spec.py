"""The settings of one template: source, destination, checks and commands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyconsul.agent.common.structs import struct

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.share_id import ShareId

#: The source that is stdin, and the destination that is stdout.
STREAM = "-"
#: Default time limit of commands in seconds.
COMMAND_TIMEOUT = 30.0


class SpecError(Exception):
    """A template's settings contradict each other or are incomplete; the text names the template."""


@struct(frozen=True)
class Environment:
    """Which variables a command gets: all that match, or only the custom ones (`NAME=value`)."""

    pristine: bool = False
    custom: tuple[str, ...] = ()
    allowlist: tuple[str, ...] = ()
    denylist: tuple[str, ...] = ()


@struct(frozen=True)
class Command:
    """A command that runs after files have changed. Equal commands of one pass run once. Durations are seconds."""

    words: tuple[str, ...]
    timeout: float = COMMAND_TIMEOUT
    splay: float = 0.0
    environment: Environment = Environment()

    @property
    def shown(self) -> str:
        """The command in messages."""
        return " ".join(self.words)


@struct(frozen=True)
class Check:
    """A check of new files before they replace the old ones. `words`: `{{ path }}` stands for the new file,
    `{{ paths }}` for all of a group. `timeout`: seconds."""

    words: tuple[str, ...]
    timeout: float = COMMAND_TIMEOUT


@struct(frozen=True)
class Group:
    """Templates that belong together: rendered from one view of the data, checked and promoted together, one command.

    `wait`: None takes that of the first template.
    """

    name: str
    command: Command | None = None
    check: Check | None = None
    wait: tuple[float, float] | None = None


@struct(frozen=True)
class Spec:
    """`contents` is None when `source` names a file; `source` is "-" for stdin, `destination` for stdout.
    `perms`, `user`, `group`: None keeps what the file has.

    `wait`: the shortest and the longest quiescence in seconds. `error_fatal`, `rollback`: None leaves it to the
    circumstances. `render_group`: the `Group` that it belongs to, "" for none. `haproxy`: whether it configures HAProxy; None:
    that is told by its name. `for_each`: an expression that gives a list; each item has a file of its own, and the
    destination is a template, too. `prune`: whether files of former items are removed. `absent`: the destination is one.
    `format`: see `field_safety.formats`, "" for text. `share`: under which its answers are shared with other machines,
    None for not at all.
    """

    destination: str
    source: str = ""
    contents: str | None = None
    syntax: str = "jinja2"
    left: str = ""
    right: str = ""
    command: Command | None = None
    perms: int | None = None
    user: str | None = None
    group: str | None = None
    backup: bool = False
    create_dest_dirs: bool = True
    error_on_missing_key: bool = False
    error_fatal: bool | None = None
    denylist: tuple[str, ...] = ()
    sandbox: str = ""
    wait: tuple[float, float] = (0.0, 0.0)
    check: Check | None = None
    rollback: bool | None = None
    in_place: bool = False
    render_group: str = ""
    haproxy: bool | None = None
    for_each: str = ""
    prune: bool = False
    absent: bool = False
    share: ShareId | None = None
    format: str = ""

    @property
    def name(self) -> str:
        """The name of the template in messages."""
        if self.source == STREAM:
            return "stdin"
        return self.source or f"contents of {self.destination}"

    @property
    def to_stdout(self) -> bool:
        """Return whether the text goes to stdout."""
        return self.destination == STREAM

    def survives_errors(self, *, must_survive: bool) -> bool:
        """Return whether a failure leaves the last good file in use rather than ending the program. `must_survive`: what uses the
        files must not go down. Go templates end the program, as they always did."""
        return self.rollback if self.rollback is not None else must_survive or self.syntax != "go"

    @property
    def fixed_folder(self) -> Path:
        """The folder below which all files of a destination with expressions are."""
        return Path(os.path.normpath(os.path.dirname(self.destination.partition("{{")[0])))

    @property
    def folder(self) -> Path:
        """The folder of its includes and macros."""
        return Path(self.source).parent if self.source and self.source != STREAM else Path()


def configuration_files(specs: Sequence[Spec]) -> list[str]:
    """Return the destinations that are HAProxy's configuration: those that say so; or else those named .cfg; or the first."""
    possible = [spec for spec in specs if spec.haproxy is not False and not spec.for_each]
    chosen = [spec for spec in possible if spec.haproxy] or [
        spec for spec in possible if spec.destination.endswith(".cfg")
    ]
    return [spec.destination for spec in chosen or possible[:1]]
