"""The flags of `pyconsul agent`, made from the table of settings; one dash and two mean the same, as in Go programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyconsul.agent.common.options import (
    SWITCH,
    TEXT,
    HelpRequested,
    MissingValue,
    Option,
    OptionError,
    UnknownFlag,
    scan,
)
from pyconsul.agent.common.suggest import did_you_mean
from pyconsul.agent.config import coerce
from pyconsul.agent.config.compat import UNSUPPORTED_FLAGS
from pyconsul.agent.config.problems import ConfigError, Problems
from pyconsul.agent.config.readers.files import FORMATS
from pyconsul.agent.config.table import BY_KEY, Kind, Setting, Values, put

_METAVAR = {Kind.INT: "number", Kind.DURATION: "duration", Kind.MAP: "key:value"}
#: Flags that say what to read and set no key: parameter -> flags, help.
_READING = {
    "config_file": (
        ("config-file", "config-dir"),
        "Configuration file (JSON or HCL), or directory of such files, read in order of their names; may be repeated.",
    ),
    "config_format": (("config-format",), "Format of all configuration files, whatever their names: hcl or json."),
    "hcl": (("hcl",), "Settings in HCL; may be repeated."),
}
_UNSUPPORTED = "unsupported."


@dataclass(frozen=True, slots=True)
class Flags:
    """A parsed command line: `values` of settings, and the files and HCL texts to read before them, in the order given."""

    values: Values
    paths: tuple[str, ...] = ()
    config_format: str = ""
    fragments: tuple[str, ...] = ()


def options() -> list[Option[Any]]:
    """All flags, for parsing, help, completion and man pages. A setting's option has its key."""
    made = [_option(name, flags, doc, "text") for name, (flags, doc) in _READING.items()]
    made += [_setting_option(row) for row in BY_KEY.values() if row.note.flags]
    made += [
        _option(_UNSUPPORTED + flag, (flag,), "Accepted without effect.", "text", hidden=True)
        for flag in UNSUPPORTED_FLAGS
    ]
    return sorted(made, key=lambda option: option.name)


def parse_flags(argv: Sequence[str], problems: Problems) -> Flags:
    """The arguments after `pyconsul agent`.  Raises ConfigError for an unknown flag; wrong values are gathered."""
    given = _given(argv)
    values: Values = {}
    for row in BY_KEY.values():
        if texts := given.get(row.key):
            _put_flag(row, texts, values, problems)
    for flag in UNSUPPORTED_FLAGS:
        if _UNSUPPORTED + flag in given:
            problems.unsupported[f"-{flag}"] = "accepted for compatibility"
    config_format = given.get("config_format", [""])[-1]
    if config_format not in ("", *FORMATS):
        problems.errors.append(f"-config-format: {config_format} is not allowed; allowed: {' or '.join(FORMATS)}")
        config_format = ""
    return Flags(values, tuple(given.get("config_file", ())), config_format, tuple(given.get("hcl", ())))


def _put_flag(row: Setting, texts: list[str], values: Values, problems: Problems) -> None:
    try:
        put(values, row.key, coerce.from_flag(row, texts))
    except ValueError as error:
        problems.errors.append(coerce.refusal(row, f"-{row.note.flags[0]}", texts[-1], error))


def _given(argv: Sequence[str]) -> dict[str, list[str]]:
    """The texts of each key that is given, in their order. Raises ConfigError."""
    try:
        found, rest = scan(options(), argv)
    except UnknownFlag as error:
        raise ConfigError([f"unknown flag -{error.flag}{did_you_mean(error.flag.lower(), error.known, '-')}"]) from None
    except MissingValue as error:
        raise ConfigError([f"flag -{error.flag} needs a value: -{error.flag}=VALUE"]) from None
    except OptionError as error:
        raise ConfigError([str(error)]) from None
    except HelpRequested:
        raise ConfigError(["-h takes no value"]) from None
    if rest:
        raise ConfigError([f"unexpected extra argument ({' '.join(rest)}). Flags start with a dash, such as -dev."])
    given: dict[str, list[str]] = {}
    for option, _, written in found:
        given.setdefault(option.key, []).append(written)
    return given


def _setting_option(row: Setting) -> Option[Any]:
    default = f" Default: {row.default_text.removesuffix('.')}." if row.default_text not in ("", "false") else ""
    unsupported = f" Not supported: {row.note.unsupported}." if row.note.unsupported else ""
    about = row.note.doc + default + unsupported
    if row.kind is Kind.BOOL:
        return Option(row.key, SWITCH, about, False, flags=row.note.flags)
    return _option(row.key, row.note.flags, about, _METAVAR.get(row.kind, "text"))


def _option(key: str, flags: tuple[str, ...], doc: str, metavar: str, *, hidden: bool = False) -> Option[Any]:
    return Option(key, TEXT, doc, "", flags=flags, metavar=metavar, hidden=hidden)
