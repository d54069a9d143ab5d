"""The files that `-config-file` and `-config-dir` name, read in Consul's order: as given, those of a folder by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pyconsul.agent.common.files.excerpt import mistake
from pyconsul.agent.config.problems import ConfigError, Problems
from pyconsul.agent.config.readers.hclfile import HCLError, parse_hcl
from pyconsul.agent.config.readers.jsonfile import JSONError, parse_json

FORMATS = ("hcl", "json")
T = TypeVar("T")


def config_paths(path: str, config_format: str, problems: Problems) -> list[Path]:
    """The files one argument stands for.  Folders within a folder are not entered.  Raises ConfigError."""
    place = Path(path)
    try:
        entries = sorted(place.iterdir(), key=lambda entry: entry.name) if place.is_dir() else [place]
        files = [entry for entry in entries if not entry.is_dir()]
        if not place.exists():
            raise FileNotFoundError(2, "no such file or directory")
    except OSError as error:
        raise ConfigError([f"config: open of {path} failed: {error.strerror}"]) from error
    return [file for file in files if _is_read(file, config_format, problems)]


def read_file(path: Path) -> str:
    """Return the text of a file; raises ConfigError with its path."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError([f"config: cannot read {path}: {reason}"]) from error


def parse_text(text: str, config_format: str, source: str) -> dict[str, Any]:
    """`config_format` is `json` or `hcl`; `source` is for messages.  A file without content sets nothing."""
    if not text.strip():
        return {}
    try:
        if config_format == "json":
            return _replace_surrogates(parse_json(text))
        return _replace_surrogates(parse_hcl(text))
    except ValueError as error:
        raise _syntax_error(error, text, source) from None


def _syntax_error(error: ValueError, text: str, source: str) -> ConfigError:
    if isinstance(error, HCLError):
        return ConfigError(f"failed to parse {source}:{one.line}:{one.column}: {one.text}" for one in error.mistakes)
    details = []
    if isinstance(error, JSONError):
        place = mistake(text, error.position, "this is where JSON cannot be read")
        details.append(f"{source}:{place.line}:{place.column}: {place.text}")
    return ConfigError([f"failed to parse {source}: {error}"], details)


def _is_read(path: Path, config_format: str, problems: Problems) -> bool:
    if config_format or path.suffix in (".json", ".hcl"):
        return True
    problems.skipped.append(f"skipping file {path}, extension must be .hcl or .json, or config format must be set")
    return False


def _replace_surrogates(value: T) -> T:
    """Return a decoded document with U+FFFD for lone surrogates, which JSON can write as escapes; Go does the same."""
    made: Any = value
    if isinstance(value, str):
        made = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    elif isinstance(value, list):
        made = [_replace_surrogates(item) for item in value]
    elif isinstance(value, dict):
        made = {_replace_surrogates(key): _replace_surrogates(item) for key, item in value.items()}
    return made  # type: ignore[no-any-return]
