"""Configuration files of the tools, in HCL or JSON, as plain dicts, lists, strings, numbers and booleans.

A block becomes a list of dicts (one for each time it is written), a labelled block a dict below its label.
`${…}` and `%{…}` are kept as they are: shell lines and templates in configuration files are full of them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pyconsul.agent.common.reasons import reason

# Stand-ins (from Unicode's private use area) that hide HCL 2's interpolation from the parser.
_HIDE = str.maketrans({"$": "\ue000", "%": "\ue001"})
_SHOW = str.maketrans({"\ue000": "$", "\ue001": "%"})
_INTERPOLATION = re.compile(r"[$%](?=\{)")
_HEREDOC = re.compile(r'"<<(-?)[^\n]*\n(.*?)([ \t]*)[^\s]+"', re.DOTALL)


class ConfigError(Exception):
    """A configuration cannot be used; the text says what is wrong, where, and what is allowed."""


def config_files(path: str) -> list[Path]:
    """The files that a `-config` path means: itself, or all files below a folder, in order of their names."""
    place = Path(path)
    if place.is_dir():
        return sorted(entry for entry in place.rglob("*") if entry.is_file())
    if not place.exists():
        raise ConfigError(f"configuration {path}: no such file or folder")
    return [place]


def read_config(path: Path) -> dict[str, Any]:
    """One file; JSON when it is named .json or starts with a brace, HCL otherwise. Raises ConfigError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path}: cannot read it: {reason(error)}") from error
    return parse_config(text, str(path), is_json=path.suffix == ".json")


def parse_config(text: str, where: str, *, is_json: bool = False) -> dict[str, Any]:
    """`where` names the file in errors. Raises ConfigError with the line of a syntax error."""
    if is_json or text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"configuration {where}: no valid JSON: {error}") from error
        if not isinstance(document, dict):
            raise ConfigError(f"configuration {where}: the outermost value must be an object")
        return document
    return _parse_hcl(text, where)


def _parse_hcl(text: str, where: str) -> dict[str, Any]:
    import hcl2
    from lark.exceptions import LarkError

    hidden = _INTERPOLATION.sub(lambda match: match[0].translate(_HIDE), text)
    options = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False)
    try:
        # The grammar wants a line break at the end.
        document = hcl2.loads(hidden + "\n", serialization_options=options)
    except LarkError as error:
        line, column = getattr(error, "line", 0) or 0, getattr(error, "column", 0)
        place = f"line {line}, column {column}" if line > 0 else "its end"
        raise ConfigError(f"configuration {where}: no valid HCL at {place}") from error
    result = _plain(document)
    assert isinstance(result, dict)
    return result


def _plain(value: Any) -> Any:
    """The parser's values without their source form: quotes, escapes and heredoc marks."""
    if isinstance(value, dict):
        return {key.strip('"'): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return _text(value) if isinstance(value, str) else value


def _text(source: str) -> str:
    from hcl2.utils import process_escape_sequences

    # A quoted string has no line breaks of its own, so this is a heredoc.
    if heredoc := _HEREDOC.fullmatch(source):
        indented, text, indentation = heredoc.groups()
        text = _unindent(text, indentation) if indented else text
    elif source.startswith('"') and source.endswith('"') and len(source) > 1:
        text = str(process_escape_sequences(source[1:-1]))
    else:
        text = source
    return text.translate(_SHOW)


def _unindent(text: str, indentation: str) -> str:
    """HCL's `<<-`: what stands before the end mark is taken from each line, if all of them have it."""
    lines = text.splitlines(keepends=True)
    if all(line.startswith(indentation) for line in lines):
        return "".join(line[len(indentation) :] for line in lines)
    return text
