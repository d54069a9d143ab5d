"""Flags as Go's `flag` package reads them, declared once for parsing, help, completion and man pages.

`-name`, `--name`, `-name=value`, `-name value`; a boolean takes a value only after `=`; flags end at the first
argument, at `-`, or after `--`. The grammar: https://pkg.go.dev/flag#hdr-Command_line_flag_syntax

Everything a one-shot command does before its request is start-up time, so this module imports next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyconsul.agent.common.go_numbers import parse_go_bool
from pyconsul.cli.errors import HelpRequested, UsageError

Value = str | bool | int | float | list[str] | dict[str, str] | None


class Flag:
    """One flag of a command. The functions below build them; `kind` is one of theirs."""

    __slots__ = ("choices", "default", "help", "hidden", "kind", "metavar", "name")

    def __init__(
        self,
        kind: str,
        name: str,
        help_text: str,
        default: Value = None,
        *,
        metavar: str = "value",
        choices: Sequence[str] = (),
        hidden: bool = False,
    ) -> None:
        self.kind = kind
        self.name = name
        self.help = help_text
        self.default = default
        self.metavar = metavar
        self.choices = tuple(choices)
        self.hidden = hidden

    def read(self, text: str, before: Value) -> Value:
        """The value after one more occurrence. Raises ValueError, saying what is allowed."""
        if self.kind == "texts":
            return [*(before if isinstance(before, list) else ()), text]
        if self.kind == "pairs":
            key, equals, value = text.partition("=")
            if not equals or not key:
                raise ValueError("use key=value")
            return {**(before if isinstance(before, dict) else {}), key: value}
        if self.choices and text not in self.choices:
            raise ValueError(f"use one of {', '.join(self.choices)}")
        return _scalar(self.kind, text)


def _scalar(kind: str, text: str) -> Value:
    if kind == "switch":
        return parse_go_bool(text)
    if kind in ("number", "unsigned"):
        try:
            number = int(text, 0)
        except ValueError:
            raise ValueError("use a whole number") from None
        if kind == "unsigned" and not 0 <= number < 2**64:
            raise ValueError("use a whole number from 0 to 18446744073709551615")
        return number
    if kind == "seconds":
        from pyconsul.agent.common.go_durations import parse_go_duration_s  # few calls have one

        return parse_go_duration_s(text)
    return text


def text(name: str, help_text: str, default: str = "", *, metavar: str = "value", choices: Sequence[str] = ()) -> Flag:
    """A flag with a text for its value."""
    return Flag("text", name, help_text, default, metavar=metavar, choices=choices)


def switch(name: str, help_text: str, default: bool = False) -> Flag:
    """A boolean flag."""
    return Flag("switch", name, help_text, default)


def number(name: str, help_text: str, default: int = 0) -> Flag:
    """A whole number, which may be negative."""
    return Flag("number", name, help_text, default, metavar="int")


def unsigned(name: str, help_text: str, default: int = 0) -> Flag:
    """A whole number of 64 bits without a sign, such as an index."""
    return Flag("unsigned", name, help_text, default, metavar="uint")


def seconds(name: str, help_text: str, default: float = 0.0) -> Flag:
    """A Go duration; its value is in seconds."""
    return Flag("seconds", name, help_text, default, metavar="duration")


def texts(name: str, help_text: str) -> Flag:
    """A text that may be given several times."""
    return Flag("texts", name, help_text)


def pairs(name: str, help_text: str) -> Flag:
    """`key=value` that may be given several times."""
    return Flag("pairs", name, help_text, metavar="key=value")


class Args:
    """The flags and arguments of one call."""

    __slots__ = ("_flags", "_values", "rest")

    def __init__(self, flags: Sequence[Flag], values: dict[str, Value], rest: list[str]) -> None:
        self._flags = {flag.name: flag for flag in flags}
        self._values = values
        self.rest = rest

    def given(self, name: str) -> bool:
        """Whether the flag was on the command line."""
        return name in self._values

    def _value(self, name: str) -> Value:
        if name in self._values:
            return self._values[name]
        flag = self._flags.get(name)
        return None if flag is None else flag.default

    def text(self, name: str) -> str:
        """A text flag's value; empty when the command has no such flag."""
        return str(self._value(name) or "")

    def switch(self, name: str) -> bool:
        """A boolean flag's value."""
        return bool(self._value(name))

    def number(self, name: str) -> int:
        """A number's value."""
        value = self._value(name)
        return value if isinstance(value, int) else 0

    def seconds(self, name: str) -> float:
        """A duration's value in seconds."""
        value = self._value(name)
        return float(value) if isinstance(value, int | float) else 0.0

    def texts(self, name: str) -> list[str]:
        """Every value of a flag that may be repeated."""
        value = self._value(name)
        return list(value) if isinstance(value, list) else []

    def pairs(self, name: str) -> dict[str, str]:
        """The pairs of a `key=value` flag."""
        value = self._value(name)
        return dict(value) if isinstance(value, dict) else {}


def parse(flags: Sequence[Flag], argv: Sequence[str]) -> Args:
    """Read a command's flags. Raises UsageError for a wrong one and HelpRequested for -h."""
    known = {flag.name: flag for flag in flags}
    values: dict[str, Value] = {}
    position = 0
    while position < len(argv):
        word = argv[position]
        if len(word) < 2 or word[0] != "-":
            break
        position += 1
        if word == "--":
            break
        name, equals, value = word.lstrip("-").partition("=") if word[:3] != "---" else ("", "", "")
        flag = known.get(name)
        if flag is None:
            raise _unknown(name, word, known)
        if not equals and flag.kind == "switch":
            value = "true"
        elif not equals:
            if position == len(argv):
                raise UsageError(f"flag needs an argument: -{name}")
            value = argv[position]
            position += 1
        try:
            values[name] = flag.read(value, values.get(name))
        except ValueError as error:
            raise UsageError(f'invalid value "{value}" for flag -{name}: {error}') from None
    return Args(flags, values, list(argv[position:]))


def _unknown(name: str, word: str, known: dict[str, Flag]) -> Exception:
    if name in ("h", "help"):
        return HelpRequested()
    if not name:
        return UsageError(f"bad flag syntax: {word}")
    from pyconsul.agent.common.suggest import did_you_mean

    return UsageError(
        f"flag provided but not defined: -{name}" + did_you_mean(name, known, "-", lead=". Did you mean ")
    )
