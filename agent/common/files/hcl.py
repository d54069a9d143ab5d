"""Read HCL with python-hcl2, as plain dicts, lists, strings, numbers and booleans.

A block becomes a list of dicts (one for each time it is written), a labelled block a dict below its label.
`${…}` and `%{…}` are kept as they are: shell lines and templates in configuration files are full of them.
The parser takes 100 ms to import, so it is imported by the functions.
"""

from __future__ import annotations

import re
from typing import Any

#: Stand-ins from Unicode's private use area, which hide HCL 2's interpolation from the parser.
HIDE = str.maketrans({"$": "\ue000", "%": "\ue001"})
_SHOW = str.maketrans({"\ue000": "$", "\ue001": "%"})
_INTERPOLATION = re.compile(r"[$%](?=\{)")
_HEREDOC = re.compile(r'"<<(-?)[\w.-]+\r?\n(.*?)([ \t]*)[\w.-]+"', re.DOTALL)


class HclSyntaxError(ValueError):
    """The text is not HCL. `line` and `column` count from 1; `line` 0 is the end of the text."""

    def __init__(self, line: int, column: int) -> None:
        super().__init__(f"not HCL at line {line}, column {column}" if line else "not HCL at its end")
        self.line = line
        self.column = column


def read_hcl(text: str) -> dict[str, Any]:
    """Parse a document. Raises HclSyntaxError."""
    hidden = _INTERPOLATION.sub(lambda match: match[0].translate(HIDE), text)
    result = _plain(parse_hcl_source(hidden))
    assert isinstance(result, dict)
    return result


def parse_hcl_source(source: str) -> dict[str, Any]:
    """Parse a document whose strings and heredocs stay in their source form. Raises HclSyntaxError."""
    import hcl2
    from lark.exceptions import LarkError

    options = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False)
    try:
        # The grammar wants a line break at the end.
        document: dict[str, Any] = hcl2.loads(source + "\n", serialization_options=options)
    except LarkError as error:
        line = max(getattr(error, "line", 0) or 0, 0)
        raise HclSyntaxError(line, getattr(error, "column", 0) if line else 0) from None
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.strip('"'): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if not isinstance(value, str):
        return value
    text = text_of_source(value)
    return value.translate(_SHOW) if text is None else text


def text_of_source(source: str) -> str | None:
    """Return the text of a quoted string or a heredoc; None for other source, such as an expression."""
    from hcl2.utils import process_escape_sequences

    # A quoted string has no line breaks, so one with line breaks is a heredoc.
    if heredoc := _HEREDOC.fullmatch(source):
        indented, text, indentation = heredoc.groups()
        text = _unindent(text, indentation) if indented else text
    elif source.startswith('"') and source.endswith('"') and len(source) > 1:
        text = str(process_escape_sequences(source[1:-1]))
    else:
        return None
    return text.translate(_SHOW)


def _unindent(text: str, indentation: str) -> str:
    """Remove the indentation of the end mark (`<<-`) from each line, if all lines have it."""
    lines = text.splitlines(keepends=True)
    if all(line.startswith(indentation) for line in lines):
        return "".join(line[len(indentation) :] for line in lines)
    return text
