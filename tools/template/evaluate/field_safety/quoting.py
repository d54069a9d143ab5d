"""Filters and functions that make one word of any text, in the format of a file. Pure.

Errors are ValueErrors that say what cannot be written.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

from pyconsul.tools.template.evaluate.field_safety.placeholders import unhide

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HAPROXY_PLAIN = re.compile(r"""[^\s\\'"#$]+""")
_NGINX_PLAIN = re.compile(r"""[^\s\\'"#$;{}]+""")


def raw(value: Any) -> Any:
    """Return the value as it is, whatever it does to the file."""
    return unhide(value) if isinstance(value, str) else value


def haproxy(value: Any) -> str:
    """Return one argument in HAProxy's configuration."""
    text = _without_controls("haproxy", value)
    if _HAPROXY_PLAIN.fullmatch(text):
        return text
    return f"'{text}'" if "'" not in text else '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'


def nginx(value: Any) -> str:
    """Return one argument in nginx's configuration, which has no way to write a dollar sign."""
    text = _without_controls("nginx", value)
    if "$" in text:
        raise ValueError(f"nginx: {text!r} has a dollar sign, which begins a variable there")
    return text if _NGINX_PLAIN.fullmatch(text) else '"' + re.sub(r'([\\"])', r"\\\1", text) + '"'


def shell(value: Any) -> str:
    """Return one word of a POSIX shell."""
    text = str(value)
    if "\0" in text:
        raise ValueError("shell: a word cannot hold NUL")
    return shlex.quote(text)


def json_text(value: Any) -> str:
    """Return a JSON string, with its quotes."""
    return json.dumps(value if isinstance(value, bool | int | float) else str(value), ensure_ascii=False)


def _without_controls(name: str, value: Any) -> str:
    text = str(value)
    if _CONTROL.search(text):
        raise ValueError(f"{name}: {text!r} has a control character")
    return text


#: For Jinja2 and for Go templates.
QUOTING: dict[str, Callable[[Any], Any]] = {"raw": raw, "haproxy": haproxy, "nginx": nginx, "shell": shell}
