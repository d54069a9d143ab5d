"""Options of all programs, declared once for parsing, help, completion, man pages and configuration files.

    KEYS = switch("keys", "List the keys below the prefix.")
    args = parse((KEYS,), ["-keys", "app/"])
    args[KEYS], args.rest                       # True, ["app/"]

A value is read through its declared object, so a misspelled name is an error of the type checker.
Flags follow Go's `flag` package: `-name`, `--name`, `-name=value`, `-name value`; a boolean takes a value only after
`=`; flags end at the first argument, at `-`, or after `--` (https://pkg.go.dev/flag#hdr-Command_line_flag_syntax).

Everything a one-shot command does before its request is start-up time, so this module imports next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from pyconsul.agent.common.go.booleans import parse_go_bool

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class OptionError(Exception):
    """The command line cannot be understood. The text is that of Go's `flag` package; `flag` is the flag's name."""

    def __init__(self, text: str, flag: str = "") -> None:
        super().__init__(text)
        self.flag = flag


class UnknownFlag(OptionError):
    """An unknown flag; `known` holds the names of the flags that exist."""

    def __init__(self, flag: str, known: Iterable[str]) -> None:
        from pyconsul.agent.common.suggest import did_you_mean

        self.known = list(known)
        hint = did_you_mean(flag, self.known, "-", lead=". Did you mean ")
        super().__init__(f"flag provided but not defined: -{flag}{hint}", flag)


class MissingValue(OptionError):
    """The last word is a flag that needs a value."""

    def __init__(self, flag: str, option: Option[Any]) -> None:
        super().__init__(f"flag needs an argument: -{flag}", flag)
        self.option = option


class InvalidValue(OptionError):
    """A flag's value is not allowed; `reason` says what is."""

    def __init__(self, flag: str, value: str, reason: str) -> None:
        super().__init__(f'invalid value "{value}" for flag -{flag}: {reason}', flag)
        self.reason = reason


class HelpRequested(Exception):
    """`-h` or `-help` is among the flags."""


class Kind(Generic[T_co]):
    """The type of an option's values, and how they are written.

    `name`: for documentation. `convert` makes a value of a flag's text, or of what a configuration file holds; it
    raises ValueError, whose text says what is allowed. `zero`: the value of an option that is not declared.
    `join` puts the values of a repeated flag together; None: the last one counts. `is_switch`: the flag stands alone.
    `bare`: the value of a flag that stands last, or before another flag; None: it needs one.
    """

    __slots__ = ("bare", "convert", "is_switch", "join", "name", "zero")

    def __init__(
        self,
        name: str,
        convert: Callable[[Any], T_co],
        zero: Any = None,
        *,
        join: Callable[[Any, Any], Any] | None = None,
        is_switch: bool = False,
        bare: str | None = None,
    ) -> None:
        self.name = name
        self.convert = convert
        self.zero = zero
        self.join = join
        self.is_switch = is_switch
        self.bare = bare


class Option(Generic[T_co]):
    """One option. `flags`: its names on the command line without dashes, the documented one first.

    `key`: its dotted key in configuration files; `prefix[].path` is a key of the block `prefix`, which may be repeated.
    `flag_only`: configuration files cannot hold it. `metavar` stands for the value in help. `choices`: allowed texts.
    `hidden`: accepted, but neither shown nor documented. `secret`: its value is never shown.
    `environ`: variables that give the default, the first that is set. `consul_environ`: variables that
    `agent.common.consul_environment` reads for it; listed here for documentation.
    `apply`: what its flag does to the tree of settings, given the value, instead of setting `key`.
    """

    __slots__ = (
        "apply",
        "choices",
        "consul_environ",
        "default",
        "environ",
        "flag_only",
        "flags",
        "help",
        "hidden",
        "key",
        "kind",
        "metavar",
        "secret",
    )

    def __init__(
        self,
        key: str,
        kind: Kind[T_co],
        help: str,
        default: T_co,
        *,
        flags: tuple[str, ...] = (),
        metavar: str = "",
        choices: Sequence[str] = (),
        hidden: bool = False,
        environ: tuple[str, ...] = (),
        consul_environ: tuple[str, ...] = (),
        flag_only: bool = False,
        secret: bool = False,
        apply: Callable[[dict[str, Any], Any], None] | None = None,
    ) -> None:
        self.key = key
        self.kind = kind
        self.help = help
        self.default = default
        self.flags = flags
        self.metavar = metavar or kind.name
        self.choices = choices
        self.hidden = hidden
        self.environ = environ
        self.consul_environ = consul_environ
        self.flag_only = flag_only
        self.secret = secret
        self.apply = apply

    @property
    def name(self) -> str:
        """The documented flag, or the key of an option without flags."""
        return self.flags[0] if self.flags else self.key

    def with_environ(self, *names: str) -> Option[T_co]:
        """Return the same option with other variables for its default."""
        copy: Option[T_co] = object.__new__(Option)
        for slot in self.__slots__:
            setattr(copy, slot, names if slot == "environ" else getattr(self, slot))
        return copy

    def read(self, text: str) -> T_co:
        """Return the value of one occurrence of the flag. Raises ValueError, saying what is allowed."""
        if self.choices and text not in self.choices:
            raise ValueError(f"use one of {', '.join(self.choices)}")
        return self.kind.convert(text)


def _text(value: Any) -> str:
    return str(value)


def _whole(value: Any) -> int:
    try:
        return int(value, 0)
    except ValueError:
        raise ValueError("use a whole number") from None


def _unsigned(value: Any) -> int:
    number = _whole(value)
    if not 0 <= number < 2**64:
        raise ValueError("use a whole number from 0 to 18446744073709551615")
    return number


def _seconds(value: Any) -> float:
    from pyconsul.agent.common.go.durations import parse_go_duration_s  # few calls have one

    return parse_go_duration_s(value)


def _pair(value: Any) -> dict[str, str]:
    key, equals, content = value.partition("=")
    if not equals or not key:
        raise ValueError("use key=value")
    return {key: content}


def _one(value: Any) -> list[str]:
    return [value]


#: The kinds of the commands' flags. Durations are in seconds.
TEXT: Kind[str] = Kind("value", _text, "")
SWITCH: Kind[bool] = Kind("bool", parse_go_bool, False, is_switch=True)
NUMBER: Kind[int] = Kind("int", _whole, 0)
UNSIGNED: Kind[int] = Kind("uint", _unsigned, 0)
SECONDS: Kind[float] = Kind("duration", _seconds, 0.0)
TEXTS: Kind[list[str]] = Kind("value", _one, [], join=lambda before, more: before + more)
PAIRS: Kind[dict[str, str]] = Kind("key=value", _pair, {}, join=lambda before, more: before | more)


def text(
    name: str,
    help_text: str,
    default: str = "",
    *,
    metavar: str = "value",
    choices: Sequence[str] = (),
    hidden: bool = False,
) -> Option[str]:
    """Return a flag with a text for its value."""
    return Option(name, TEXT, help_text, default, flags=(name,), metavar=metavar, choices=choices, hidden=hidden)


def switch(name: str, help_text: str, default: bool = False, *, hidden: bool = False) -> Option[bool]:
    """Return a boolean flag."""
    return Option(name, SWITCH, help_text, default, flags=(name,), hidden=hidden)


def number(name: str, help_text: str, default: int = 0) -> Option[int]:
    """Return a whole number, which may be negative."""
    return Option(name, NUMBER, help_text, default, flags=(name,))


def unsigned(name: str, help_text: str, default: int = 0) -> Option[int]:
    """Return a whole number of 64 bits without a sign, such as an index."""
    return Option(name, UNSIGNED, help_text, default, flags=(name,))


def seconds(name: str, help_text: str, default: float = 0.0) -> Option[float]:
    """Return a Go duration; its value is in seconds."""
    return Option(name, SECONDS, help_text, default, flags=(name,))


def texts(name: str, help_text: str) -> Option[list[str]]:
    """Return a text that may be given several times."""
    return Option(name, TEXTS, help_text, [], flags=(name,))


def pairs(name: str, help_text: str) -> Option[dict[str, str]]:
    """Declare a flag for `key=value` that may be given several times."""
    return Option(name, PAIRS, help_text, {}, flags=(name,))


class Args:
    """The flags and arguments of one call; values are found by the documented name of an option."""

    __slots__ = ("_declared", "_values", "rest")

    def __init__(self, options: Iterable[Option[Any]], values: dict[str, Any], rest: list[str]) -> None:
        self._declared = {option.name: option for option in options}
        self._values = values
        self.rest = rest

    def __getitem__(self, option: Option[T]) -> T:
        """Return the value given, else the default; the zero value of its kind when the command lacks this flag."""
        name = option.name
        if name in self._values:
            value: T = self._values[name]
            return value
        declared = self._declared.get(name)
        default: T = option.kind.zero if declared is None else declared.default
        return default

    def given(self, option: Option[Any]) -> bool:
        """Return whether the flag was on the command line."""
        return option.name in self._values


def parse(options: Sequence[Option[Any]], argv: Sequence[str], *, anywhere: bool = False) -> Args:
    """Read the flags of a command; `anywhere`: they may follow arguments. Raises OptionError, and HelpRequested for -h."""
    given, rest = scan(options, argv)
    arguments: list[str] = []
    while anywhere and rest:
        arguments.append(rest[0])
        more, rest = scan(options, rest[1:])
        given += more
    rest = arguments + rest
    values: dict[str, Any] = {}
    for option, flag, written in given:
        try:
            value = option.read(written)
        except ValueError as error:
            raise InvalidValue(flag, written, str(error)) from None
        name = option.name
        values[name] = option.kind.join(values[name], value) if option.kind.join and name in values else value
    return Args(options, values, rest)


def scan(options: Iterable[Option[Any]], argv: Sequence[str]) -> tuple[list[tuple[Option[Any], str, str]], list[str]]:
    """Split a command line into (option, flag as given, text of its value), and the arguments after the flags.

    Raises OptionError, and HelpRequested for -h, unless that is declared.
    """
    known = {flag: option for option in options for flag in option.flags}
    given: list[tuple[Option[Any], str, str]] = []
    position = 0
    while position < len(argv):
        word = argv[position]
        if len(word) < 2 or word[0] != "-":
            break
        position += 1
        if word == "--":
            break
        flag, equals, value = word.lstrip("-").partition("=") if word[:3] != "---" else ("", "", "")
        option = known.get(flag)
        if option is None:
            if flag in ("h", "help"):
                raise HelpRequested
            raise UnknownFlag(flag, known) if flag else OptionError(f"bad flag syntax: {word}")
        if not equals:
            kind = option.kind
            if kind.is_switch:
                value = "true"
            elif kind.bare is not None and (position == len(argv) or argv[position][:1] == "-"):
                value = kind.bare
            elif position == len(argv):
                raise MissingValue(flag, option)
            else:
                value = argv[position]
                position += 1
        given.append((option, flag, value))
    return given, list(argv[position:])
