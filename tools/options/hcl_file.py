"""Configuration files of the tools, in HCL or JSON, as plain dicts, lists, strings, numbers and booleans."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyconsul.agent.common.reasons import reason


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


def read_config(path: Path) -> dict[str, Any]:
    """Return one file; JSON when it is named .json or starts with a brace, HCL otherwise. Raises ConfigError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path}: cannot read it: {reason(error)}") from error
    return parse_config(text, str(path), is_json=path.suffix == ".json")


def parse_config(text: str, where: str, *, is_json: bool = False) -> dict[str, Any]:
    """Parse a configuration text; `where` names the file in errors. Raises ConfigError with the line of a syntax error."""
    if is_json or text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"configuration {where}: no valid JSON: {error}") from error
        if not isinstance(document, dict):
            raise ConfigError(f"configuration {where}: the outermost value must be an object")
        return document
    from pyconsul.agent.common.files.hcl import HclSyntaxError, read_hcl  # for HCL alone

    try:
        return read_hcl(text)
    except HclSyntaxError as error:
        place = f"line {error.line}, column {error.column}" if error.line else "its end"
        raise ConfigError(f"configuration {where}: no valid HCL at {place}") from error
