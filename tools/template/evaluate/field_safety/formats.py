"""The formats of files: which characters mean something in them, and the structure of a text. Pure.

Two texts that differ only in ordinary characters have the same structure.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from pyconsul.agent.common.structs import struct


@struct(frozen=True)
class Format:
    """`dangerous`: a character that may change the structure of a text. `structure`: comparable by ==."""

    name: str
    dangerous: re.Pattern[str]
    structure: Callable[[str], Any]


def _lines(text: str) -> str:
    return re.sub(r"[^\n\r\0]", "", text)


_PIECE = r"""'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|\\.|(?P<bare>[^'"\\])"""


def _worded(words: str, expanded: str, *, strong: bool = True) -> Callable[[str], str]:
    """Return the structure of a text of words. `words`: an expression for one word; other text stays as it is.
    `expanded`: the characters that begin something else within a word; `strong`: but not in single quotes."""
    ordinary = re.compile(rf"\\.|[^{expanded}]", re.DOTALL)
    pieces = re.compile(_PIECE, re.DOTALL)
    # A comment begins where a word could.
    expression = re.compile(rf"(?P<word>{words})|(?P<blanks>[ \t\v\f]+)|(?P<comment>#[^\n\r\0]*)")

    def marks(piece: re.Match[str]) -> str:
        single = "" if strong else piece["single"] or ""
        return ordinary.sub("", piece["double"] or piece["bare"] or single)

    def shown(match: re.Match[str]) -> str:
        if match["word"] is not None:
            return "w" + "".join(map(marks, pieces.finditer(match["word"])))
        return " " if match["blanks"] is not None else ""

    return lambda text: expression.sub(shown, text)


_DOUBLE, _SINGLE = r'"(?:\\.|[^"\\\n\r\0])*"', r"'[^'\n\r\0]*'"
_HAPROXY = rf"(?:\\.|{_SINGLE}|{_DOUBLE}|[^\s\\'\"#\0])+"
_NGINX = rf"(?:\\.|{_SINGLE}|{_DOUBLE}|[^\s\\'\"#;{{}}\0])+"
# Line breaks may stand within the quotes of a shell.
_SHELL = r"""(?:\\.|'[^'\0]*'|"(?:\\.|[^"\\\0])*"|[^\s\\'"#;&|<>(){}*?\[\]~!\0])+"""
_JSON = r'"(?:\\.|[^"\\\x00-\x1f])*"'


def _json_structure(text: str) -> str:
    return re.sub(_JSON, "s", text)


def _yaml_structure(text: str) -> Any:
    import yaml

    try:
        return [(type(event).__name__, getattr(event, "anchor", None)) for event in yaml.parse(text)]
    except yaml.YAMLError as error:
        return type(error).__name__, _lines(text)


#: The names of the formats.
FORMAT_NAMES = ("text", "haproxy", "nginx", "shell", "json", "yaml")


@functools.cache
def format_named(name: str) -> Format:
    """Return one of FORMAT_NAMES. Its expressions are compiled at the first call."""
    expressions: dict[str, tuple[str, Callable[[], Callable[[str], Any]]]] = {
        "text": (r"[\n\r\0]", lambda: _lines),
        "haproxy": (r"[\s\"'#\\$\x00-\x1f\x7f]", lambda: _worded(_HAPROXY, "$")),
        "nginx": (r"[\s\"'#\\$;{}\x00-\x1f\x7f]", lambda: _worded(_NGINX, "$", strong=False)),
        "shell": (r"[^\w.\-/:@+=,%]", lambda: _worded(_SHELL, "$`")),
        "json": (r"[^\w.\-/@+=~%]", lambda: _json_structure),
        "yaml": (r"[^\w.\-/@+=~%]", lambda: _yaml_structure),
    }
    dangerous, structure = expressions[name]
    return Format(name, re.compile(dangerous), structure())
