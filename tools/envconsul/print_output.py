"""`-print`: variables as text for other programs to read. Pure.

No text of `dotenv`, `shell` or `systemd` executes or expands anything in the program that it is for, nor when bash or dash
reads it with `.`. A value that a form cannot hold is an error, never an approximation.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Characters with a meaning within double quotes in shells or dotenv files.
_SPECIAL_IN_QUOTES = re.compile(r'[\\"$`]')
# systemd.exec(5), EnvironmentFile=: within double quotes a backslash protects these; line breaks stand for themselves.
_SYSTEMD_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$", "`": "\\`"})
#: env_value_is_valid() of systemd: valid UTF-8, and no control characters but these two.
_SYSTEMD_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Unprintable(ValueError):
    """A value cannot be written in a form; the text says why, without the value."""


def _dotenv(value: str) -> str:
    """Single quotes, in which nothing is special; a value with a single quote needs double quotes."""
    if "\r" in value:
        raise Unprintable("a carriage return")
    if "'" not in value:
        # Some readers of dotenv files take a backslash before a quote or a backslash as an escape, shells do not.
        if "\\\\" in value or value.endswith("\\"):
            raise Unprintable("two backslashes together, or one at the end")
        return f"'{value}'"
    if _SPECIAL_IN_QUOTES.search(value):
        raise Unprintable('a single quote together with one of \\ " $ `')
    return f'"{value}"'


def _shell(value: str) -> str:
    return shlex.quote(value)


def _systemd(value: str) -> str:
    if _SYSTEMD_CONTROLS.search(value):
        raise Unprintable("a control character")
    if _SURROGATE.search(value):
        raise Unprintable("bytes that are not UTF-8")
    return f"'{value}'" if "'" not in value and "\\" not in value else f'"{value.translate(_SYSTEMD_ESCAPES)}"'


def _docker(value: str) -> str:
    """Return the value as it is: Docker knows no quotes there."""
    if "\n" in value or "\r" in value:
        raise Unprintable("a line break")
    if _SURROGATE.search(value):
        raise Unprintable("bytes that are not UTF-8")
    return value


#: By form: the text before the name, and the function that writes the value.
_LINES: dict[str, tuple[str, Callable[[str], str]]] = {
    "docker": ("", _docker),
    "dotenv": ("", _dotenv),
    "shell": ("export ", _shell),
    "systemd": ("", _systemd),
}
FORMATS = ("docker", "dotenv", "json", "shell", "systemd")


def render_variables(variables: Mapping[str, str], form: str, warn: Callable[[str], None]) -> str:
    """Return the variables, sorted by name, in one of `FORMATS`. Raises Unprintable, which names the variable.

    All but json can only hold names of letters, digits and underscores; `warn` is called for the others.
    """
    if form == "json":
        return json.dumps(dict(sorted(variables.items())), indent=2, ensure_ascii=False) + "\n"
    before, written = _LINES[form]
    lines = []
    for name, value in sorted(variables.items()):
        if not _NAME.fullmatch(name):
            warn(_left_out(name, form))
            continue
        try:
            lines.append(f"{before}{name}={written(value)}\n")
        except Unprintable as error:
            raise Unprintable(f"cannot print {name} as {form}: its value has {error} (use another form)") from None
    return "".join(lines)


def _left_out(name: str, form: str) -> str:
    if name[:1].isdigit() and _NAME.fullmatch("_" + name):
        return f"skipped {name}: in {form} a name cannot start with a digit"
    return f"skipped {name}: {form} cannot hold this name (-sanitize makes one that it can)"
