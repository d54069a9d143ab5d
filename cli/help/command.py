"""The declaration of a command: its flags, its arguments and its function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pyconsul.agent.common.options import Option, switch
from pyconsul.cli.context import Context
from pyconsul.cli.exit_status import Status
from pyconsul.cli.http.flags import HTTP_FLAGS

DETAILED_EXITCODE = switch(
    "detailed-exitcode",
    "Exit with status 3 to 7 by reason; see pyconsul(1).",
)


class Command:
    """One command. `usage`: its arguments, as `KEY [DATA]`; `about`: paragraphs for its help; `run` returns the exit
    code (None is 0) or raises CliError. `http`: whether it talks to an agent, and so takes Consul's HTTP flags.
    `lenient`: it ignores arguments, as in Consul; other commands without a `usage` refuse them. `flags_anywhere`: flags may
    follow the arguments. `usage_status`: its exit status for wrong flags or arguments."""

    __slots__ = ("about", "flags", "flags_anywhere", "http", "lenient", "own_flags", "run", "usage", "usage_status")

    def __init__(
        self,
        run: Callable[[Context], int | None],
        *flags: Option[Any],
        usage: str = "",
        about: str = "",
        http: bool = True,
        lenient: bool = False,
        flags_anywhere: bool = False,
        usage_status: Status = Status.USAGE,
    ) -> None:
        self.run = run
        self.usage = usage
        self.about = about
        self.http = http
        self.lenient = lenient
        self.flags_anywhere = flags_anywhere
        self.usage_status = usage_status
        self.own_flags: Sequence[Option[Any]] = flags
        shared = HTTP_FLAGS if http else ()
        taken = {flag.name for flag in flags}
        self.flags: Sequence[Option[Any]] = (
            *flags,
            DETAILED_EXITCODE,
            *(flag for flag in shared if flag.name not in taken),
        )
