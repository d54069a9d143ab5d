"""consul-template's functions that reach outside: environment, clock, files, programs, network interfaces.

What they reach is passed in (`Surroundings`); `real_surroundings.py` has the real implementations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NoReturn

from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.texts import SPACES
from pyconsul.tools.gotemplate.runtime.signature import Function, function
from pyconsul.tools.gotemplate.runtime.values import to_bytes
from pyconsul.tools.gotemplate.syntax.quote import quote
from pyconsul.tools.gotemplate.text.go_time import RFC3339, format_time


@struct(frozen=True)
class FileWrite:
    """A file to be written by `writeToFile`. `user` and `group`: a name or number, "" to leave it."""

    path: str
    content: bytes
    permissions: int
    user: str = ""
    group: str = ""
    append: bool = False


def _not_here(*values: Any) -> NoReturn:
    raise GoError("this function is not available here")


@struct(frozen=True)
class Surroundings:
    """What templates may reach.

    `now` gives the time with its zone (UTC). `write_file` and `run_plugin` raise GoError or OSError;
    `run_plugin(program, arguments)` returns the output of the program, `sockaddr(pipeline)` addresses of this machine.
    """

    now: Callable[[], datetime] = _not_here
    write_file: Callable[[FileWrite], None] = _not_here
    run_plugin: Callable[[str, Sequence[str]], str] = _not_here
    sockaddr: Callable[[str], str] = _not_here

    def functions(self) -> dict[str, Function]:
        """Return the functions by name; those that read variables are in `environment`."""
        return {
            "plugin": function(self.plugin, "string", "...string"),
            "sockaddr": function(lambda *words: self.sockaddr(" ".join(words)), "...string"),
            "timestamp": function(self.timestamp, "...string"),
            "writeToFile": function(self.write_to_file, "string", "string", "string", "string", "...string"),
        }

    def timestamp(self, *layouts: str) -> str:
        """Return the current time: as RFC 3339, by a layout, or in seconds since the epoch (`unix`)."""
        if len(layouts) > 1:
            raise GoError(f"timestamp: wrong number of arguments, expected 0 or 1, but got {len(layouts)}")
        layout = layouts[0] if layouts else RFC3339
        now = self.now()
        return str(int(now.timestamp())) if layout == "unix" else format_time(now, layout)

    def plugin(self, program: str, *arguments: str) -> str:
        """Return the output of a program; its arguments are trimmed, empty ones are left out."""
        if not program:
            return ""
        trimmed = [argument.strip(SPACES) for argument in arguments]
        return self.run_plugin(program, [argument for argument in trimmed if argument]).strip(SPACES)

    def write_to_file(self, path: str, user: str, group: str, permissions: str, *rest: str) -> str:
        """Write the last argument to a file; the flags before it are `append` and `newline`."""
        if len(rest) not in (1, 2):
            raise GoError(f"writeToFile: wrong number of arguments, expected 5 or 6, but got {4 + len(rest)}")
        flags = rest[0] if len(rest) == 2 else ""
        if not permissions or permissions.strip("01234567"):
            raise GoError(f"strconv.ParseUint: parsing {quote(permissions)}: invalid syntax")
        content = to_bytes(rest[-1]) + (b"\n" if "newline" in flags else b"")
        self.write_file(FileWrite(path, content, int(permissions, 8), user, group, "append" in flags))
        return ""
