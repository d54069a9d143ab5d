"""`-print`: variables as text for other programs to read. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOTENV_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r"})
# systemd.exec(5), EnvironmentFile=: within double quotes a backslash protects these; line breaks stand for themselves.
_SYSTEMD_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$", "`": "\\`"})


def _dotenv(name: str, value: str) -> str:
    return f'{name}="{value.translate(_DOTENV_ESCAPES)}"\n'


def _shell(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}\n"


def _systemd(name: str, value: str) -> str:
    return f'{name}="{value.translate(_SYSTEMD_ESCAPES)}"\n'


_LINES: dict[str, Callable[[str, str], str]] = {"dotenv": _dotenv, "shell": _shell, "systemd": _systemd}
FORMATS = ("dotenv", "json", "shell", "systemd")


def render_variables(variables: Mapping[str, str], form: str, warn: Callable[[str], None]) -> str:
    """The variables, sorted by name, in one of `FORMATS`.

    All but json can only hold names of letters, digits and underscores; `warn` is told which are left out.
    """
    if form == "json":
        return json.dumps(dict(sorted(variables.items())), indent=2, ensure_ascii=False) + "\n"
    text = ""
    for name, value in sorted(variables.items()):
        if _NAME.fullmatch(name):
            text += _LINES[form](name, value)
        else:
            warn(f"{name} is left out: {form} cannot hold this name (-sanitize makes one that it can)")
    return text
