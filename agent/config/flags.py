"""The flags of `pyconsul agent`, made from the table of settings; one dash and two mean the same, as in Go programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from pyconsul.agent.common.suggest import did_you_mean
from pyconsul.agent.config import coerce
from pyconsul.agent.config.compat import LACKING_FLAGS
from pyconsul.agent.config.problems import ConfigError, Problems
from pyconsul.agent.config.readers.files import FORMATS
from pyconsul.agent.config.table import BY_FLAG, BY_KEY, Kind, Setting, Values, put

_METAVAR = {Kind.INT: "NUMBER", Kind.DURATION: "DURATION", Kind.BOOL: "[=false]", Kind.MAP: "KEY:VALUE"}
#: Flags that say what to read and set no key: parameter -> flags, help.
_READING = {
    "config_file": (
        ("config-file", "config-dir"),
        "A file of settings (JSON or HCL), or a folder of such files, read in order of their names; may be given again.",
    ),
    "config_format": (("config-format",), "Read all files as hcl or json, whatever their names."),
    "hcl": (("hcl",), "Settings in HCL; may be given again."),
}
_LACKING = "lacking_"
_KNOWN = (*BY_FLAG, *(flag for flags, _ in _READING.values() for flag in flags), *LACKING_FLAGS)


@dataclass(frozen=True, slots=True)
class Flags:
    """What a command line says: `values` of settings, and what to read before them, in the order given."""

    values: Values
    paths: tuple[str, ...] = ()
    config_format: str = ""
    fragments: tuple[str, ...] = ()


def options() -> list[click.Option]:
    """All flags, as click's options: for parsing, help, completion and man pages.

    A setting's option is named by its key, with `__` for the dot.
    """
    made = [_option(name, flags, doc, "TEXT") for name, (flags, doc) in _READING.items()]
    made += [_setting_option(row) for row in BY_KEY.values() if row.note.flags]
    made += [
        _option(_parameter(_LACKING + flag), (flag,), "Accepted without effect.", "TEXT") for flag in LACKING_FLAGS
    ]
    return sorted(made, key=lambda option: option.opts[0])


def is_switch(flag: str) -> bool:
    """Whether a flag may stand without a value (and takes one only after `=`)."""
    return flag in BY_FLAG and BY_FLAG[flag].kind is Kind.BOOL


def parse_flags(argv: Sequence[str], problems: Problems) -> Flags:
    """The arguments after `pyconsul agent`.  Raises ConfigError for an unknown flag; wrong values are gathered."""
    given = _given(argv)
    values: Values = {}
    for row in BY_KEY.values():
        if texts := given.get(_parameter(row.key)):
            _put_flag(row, texts, values, problems)
    for flag in LACKING_FLAGS:
        if _parameter(_LACKING + flag) in given:
            problems.lacking[f"-{flag}"] = "accepted for Consul's sake"
    config_format = given.get("config_format", [""])[-1]
    if config_format not in ("", *FORMATS):
        problems.errors.append(f"-config-format: {config_format} is not allowed; allowed: {' or '.join(FORMATS)}")
        config_format = ""
    return Flags(values, tuple(given.get("config_file", ())), config_format, tuple(given.get("hcl", ())))


def _put_flag(row: Setting, texts: list[str], values: Values, problems: Problems) -> None:
    try:
        put(values, row.key, coerce.from_flag(row, texts))
    except ValueError as error:
        shown = coerce.shown(row, texts[-1])
        problems.errors.append(f"-{row.note.flags[0]}: {shown} is not allowed; allowed: {error}")


def _given(argv: Sequence[str]) -> dict[str, list[str]]:
    """Parameter -> its texts, in the order given; only those that are."""
    command = click.Command("agent", params=list[click.Parameter](options()), add_help_option=False)
    try:
        context = command.make_context("agent", _arguments(argv))
    except click.NoSuchOption as error:
        flag = error.option_name.lstrip("-")
        hint = did_you_mean(flag.lower(), _KNOWN, "-")
        raise ConfigError([f"unknown flag -{flag}{hint}"]) from None
    except click.BadOptionUsage as error:
        flag = (error.option_name or "").lstrip("-")
        raise ConfigError([f"flag -{flag} needs a value: -{flag}=VALUE"]) from None
    except click.UsageError as error:
        raise ConfigError([f"{error.format_message()} Flags start with a dash, such as -dev."]) from None
    return {name: list(texts) for name, texts in context.params.items() if texts}


def _arguments(argv: Sequence[str]) -> list[str]:
    """The arguments in click's form: two dashes, and the value after `=`, so that `-1` is a value, too."""
    made, rest = [], list(argv)
    while rest:
        argument = rest.pop(0)
        flag, equals, text = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or not flag:
            made.append(argument)
        elif equals:
            made.append(f"--{flag}={text}")
        elif is_switch(flag):
            made.append(f"--{flag}=true")
        elif flag in _KNOWN and rest:
            made.append(f"--{flag}={rest.pop(0)}")
        else:
            made.append(f"--{flag}")
    return made


def _setting_option(row: Setting) -> click.Option:
    default = f" Default: {row.default_text.removesuffix('.')}." if row.default_text not in ("", "false") else ""
    lacking = f" Without effect: no {row.note.unsupported}." if row.note.unsupported else ""
    return _option(
        _parameter(row.key), row.note.flags, row.note.doc + default + lacking, _METAVAR.get(row.kind, "TEXT")
    )


def _option(name: str, flags: Sequence[str], doc: str, metavar: str) -> click.Option:
    return click.Option([name, *(f"--{flag}" for flag in flags)], multiple=True, help=doc, metavar=metavar)


def _parameter(key: str) -> str:
    """Click wants an identifier."""
    return key.replace(".", "__").replace("-", "_")
