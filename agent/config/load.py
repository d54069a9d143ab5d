"""Reads the agent's settings: defaults, then what -dev sets, then files in order, then flags.

`load` may be called again with the same arguments: that is a reload.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pyconsul.agent.common.files.locate import locate
from pyconsul.agent.config.compat import note_unsupported
from pyconsul.agent.config.config import Config, Origin
from pyconsul.agent.config.decode import decode
from pyconsul.agent.config.flags import Flags, parse_flags
from pyconsul.agent.config.problems import UNKNOWN_KEY, ConfigError, Problems
from pyconsul.agent.config.readers.files import config_paths, parse_text, read_file
from pyconsul.agent.config.readers.sources import DEV, FLAGS, sources_of
from pyconsul.agent.config.resolve import build, dev_values, merged, resolve
from pyconsul.agent.config.table import Values
from pyconsul.agent.config.validate import validate

__all__ = ["ConfigError", "load", "load_files", "reload"]


def load(argv: Sequence[str]) -> Config:
    """The configuration that the arguments after `pyconsul agent` ask for.

    Raises ConfigError with everything that is wrong.  What is merely doubtful is in `Config.warnings`.
    """
    problems = Problems()
    flags = parse_flags(argv, problems)
    files: list[str] = []
    sources = _read(flags, problems, files)
    problems.raise_any()
    base = dev_values() if flags.values.get("dev_mode") else {}
    given = merged(*(values for _, values in sources), flags.values)
    note_unsupported(given, problems)
    values = merged(base, given)
    config: Config = build(resolve(values, problems))
    validate(config, values, problems)
    problems.raise_any()
    origin = Origin(tuple(argv), tuple(files), sources_of([(DEV, base), *sources, (FLAGS, flags.values)]))
    return msgspec.structs.replace(
        config, origin=origin, warnings=problems.all_warnings(), refusals=tuple(problems.refusals)
    )


def load_files(paths: Sequence[str], config_format: str = "") -> Config:
    """The configuration in files and folders, as `consul validate` reads them.  Raises ConfigError."""
    argv = [f"-config-file={path}" for path in paths]
    return load([*argv, f"-config-format={config_format}"] if config_format else argv)


def reload(config: Config) -> Config:
    """Read the configuration again; the node ID and the mode stay.  Raises ConfigError."""
    fresh = load(config.origin.argv)
    return msgspec.structs.replace(fresh, node_id=fresh.node_id or config.node_id, server=config.server)


def _read(flags: Flags, problems: Problems, files: list[str]) -> list[tuple[str, Values]]:
    """Each file's name and values, in order; `files` gets their paths.  A file that cannot be parsed ends the reading."""
    sources: list[tuple[str, Values]] = []
    for path in flags.paths:
        for file in config_paths(path, flags.config_format, problems):
            files.append(str(file))
            text = read_file(file)
            data = parse_text(text, flags.config_format or file.suffix.removeprefix("."), str(file))
            sources.append((str(file), _decode(data, text, str(file), problems)))
    for position, text in enumerate(flags.fragments, 1):
        source = f"-hcl {position}"
        sources.append((source, _decode(parse_text(text, "hcl", source), text, source, problems)))
    return sources


def _decode(data: dict[str, Any], text: str, source: str, problems: Problems) -> Values:
    """Decode a text, and note the positions of its errors."""
    known = len(problems.errors)
    values = decode(data, source, problems)
    prefix = f"{source}: "
    for error in problems.errors[known:]:
        if error.startswith(prefix):
            problems.by_file.setdefault(source, []).append(error)
        words = error.rpartition("\n")[2].strip().removeprefix(prefix)
        key = words.removeprefix(UNKNOWN_KEY.removeprefix(": ")).partition(";")[0].partition(": ")[0]
        if location := locate(text, key):
            problems.details.append(f"{source}:{location.line}:{location.column}: {key}: {location.excerpt}")
    return values
