"""Configuration files of the tools, in HCL or JSON, as plain dicts, lists, strings, numbers and booleans."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pyconsul.agent.common.reasons import reason

if TYPE_CHECKING:
    from pyconsul.agent.common.files.excerpt import SourceLocation


class ConfigError(Exception):
    """A configuration cannot be used; the text says what is wrong, where, and what is allowed."""


def config_files(path: str) -> list[Path]:
    """Return the files that a `-config` path means: itself, or all files below a folder, in order of their names."""
    place = Path(path)
    if place.is_dir():
        return sorted(entry for entry in place.rglob("*") if entry.is_file())
    if not place.exists():
        raise ConfigError(f"configuration {path}: no such file or folder")
    return [place]


class ConfigText(NamedTuple):
    """A parsed configuration, with its text for the locations of mistakes."""

    document: dict[str, Any]
    text: str


def read_config(path: Path) -> ConfigText:
    """Read one file; JSON when it is named .json or starts with a brace, HCL otherwise. Raises ConfigError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path}: cannot read it: {reason(error)}") from error
    return ConfigText(parse_config(text, str(path), is_json=path.suffix == ".json"), text)


def parse_config(text: str, where: str, *, is_json: bool = False) -> dict[str, Any]:
    """Parse a configuration text; `where` names the file in errors. Raises ConfigError with the location of a syntax error."""
    if is_json or text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(_at(where, f"no valid JSON: {error.msg}", _location(text, error.pos))) from error
        except ValueError as error:  # a number with thousands of digits
            raise ConfigError(f"configuration {where}: no valid JSON: {error}") from error
        if not isinstance(document, dict):
            raise ConfigError(f"configuration {where}: the outermost value must be an object")
        return document
    from pyconsul.agent.common.files.hcl import HclSyntaxError, read_hcl  # for HCL alone

    try:
        return read_hcl(text)
    except HclSyntaxError as error:
        if not error.line:
            raise ConfigError(f"configuration {where}: no valid HCL at its end") from error
        begin = sum(len(line) + 1 for line in text.split("\n")[: error.line - 1])
        raise ConfigError(_at(where, "no valid HCL", _location(text, begin + error.column - 1))) from error


def describe_mistake(where: str, text: str, key: str, words: str) -> str:
    """Return the message for a wrong setting: with line, column and an excerpt if the key stands in the text once."""
    from pyconsul.agent.common.files.locate import locate  # for wrong files alone

    return _at(where, words, locate(text, key))


def _location(text: str, position: int) -> SourceLocation:
    from pyconsul.agent.common.files.excerpt import source_location  # for wrong files alone

    return source_location(text, position)


def _at(where: str, words: str, location: SourceLocation | None) -> str:
    if location is None:
        return f"configuration {where}: {words}"
    excerpt = f"\n    {location.excerpt}" if location.excerpt else ""
    return f"configuration {where}:{location.line}:{location.column}: {words}{excerpt}"
