"""One table of options for a tool: it gives the flags, the keys of configuration files, the defaults and the help.

    OPTIONS = (Option("consul.address", TEXT, "Address of Consul", flags=("consul-addr", "http-addr")), …)
    call = parse_flags(OPTIONS, sys.argv[1:])              # Go's flag syntax; UsageError
    settings = load_settings(OPTIONS, call, environ)       # files of -config, then flags; ConfigError
    settings["consul.address"], settings.blocks("prefix"), settings.given("wait")

A configuration is a tree: nested dicts whose leaves `Kind.convert` has made. Blocks that may be repeated are lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pyconsul.agent.common.go_numbers import parse_go_bool
from pyconsul.agent.common.process.child_process import parse_signal
from pyconsul.agent.common.structs import field, struct
from pyconsul.agent.common.suggest import did_you_mean
from pyconsul.tools.options.duration import parse_config_duration_s, parse_wait_s
from pyconsul.tools.options.hcl_file import ConfigError, config_files, read_config

Tree = dict[str, Any]

#: Keys of a block that are listed in an error.
_FEW = 8
#: Columns of help.
_WIDTH = 80


class UsageError(Exception):
    """The command line cannot be understood; the text says why."""


@struct(frozen=True)
class Kind:
    """What an option's values are: `name` for documentation, `convert` from a file's or flag's value.

    `convert` raises ValueError, whose text says what is allowed. `repeat`: a flag may be given several times.
    `bare`: what a flag means that stands last or before another flag; None: it needs a value.
    """

    name: str
    convert: Callable[[Any], Any]
    repeat: bool = False
    bare: str | None = None


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a string")
    return str(value)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return parse_go_bool(str(value))
    except ValueError as error:
        raise ValueError(f"invalid boolean {str(value)!r}: {error}") from None


def _int(value: Any) -> int:
    try:
        if isinstance(value, bool) or int(value) != float(value):
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"invalid number {value!r}: use a whole number") from None


def _duration(value: Any) -> float:
    seconds = parse_config_duration_s(value if isinstance(value, str | int | float) else str(value))
    if seconds < 0:
        raise ValueError(f"invalid duration {value!r}: it must not be negative")
    return seconds


def _wait(value: Any) -> tuple[float, float]:
    if isinstance(value, list) and value:
        value = value[-1]
    if not isinstance(value, dict):
        return parse_wait_s(_text(value))
    if unknown := sorted(set(value) - {"enabled", "min", "max"}):
        raise ValueError(f"unknown key {unknown[0]!r}; allowed: enabled, min, max")
    if not _bool(value.get("enabled", True)):
        return 0.0, 0.0
    low = str(value.get("min", "0"))
    return parse_wait_s(f"{low}:{value['max']}" if "max" in value else low)


def _signal(value: Any) -> Any:
    return parse_signal(_text(value))


def _strings(value: Any) -> list[str]:
    return [_text(entry) for entry in (value if isinstance(value, list) else [value])]


def _command(value: Any) -> tuple[str, ...]:
    """A tuple, since lists are joined when two configurations are."""
    return tuple(_strings(value))


TEXT = Kind("string", _text)
BOOL = Kind("bool", _bool)
INT = Kind("int", _int)
DURATION = Kind("duration", _duration)  # seconds
WAIT = Kind("min[:max]", _wait)  # seconds, seconds; (0, 0): do not wait
SIGNAL = Kind("signal", _signal)  # signal.Signals, None for none
STRINGS = Kind("list of strings", _strings, repeat=True)
COMMAND = Kind("command", _command)  # one word: a shell line


@struct(frozen=True)
class Option:
    """One setting.

    `key`: its place in configuration files, dotted; `prefix[].path` is a key of the block `prefix`, which may be
    repeated. `cli_only`: no file may hold it. `flags`: its names on the command line, the documented one first.
    `apply`: what its flag does to the tree, given the converted value, instead of setting `key`; such a flag may be
    repeated. `environ`: variables that give the default, the first that is set. `consul_environ`: variables that
    `agent.common.consul_environment` reads for it; listed here for documentation. `secret`: never shown.
    """

    key: str
    kind: Kind
    help: str
    default: Any = None
    flags: tuple[str, ...] = ()
    environ: tuple[str, ...] = ()
    consul_environ: tuple[str, ...] = ()
    cli_only: bool = False
    secret: bool = False
    apply: Callable[[Tree, Any], None] | None = None


@struct(frozen=False)
class Call:
    """A parsed command line: the tree that its flags make, what follows them, and whether help was asked for."""

    tree: Tree = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    help: bool = False


def parse_flags(options: Iterable[Option], argv: Sequence[str]) -> Call:
    """Go's flag syntax (https://pkg.go.dev/flag): -name value, --name=value; a bool takes a value only after `=`.

    Flags end at the first word that is none, or after `--`. Raises UsageError.
    """
    by_flag = {flag: option for option in options for flag in option.flags}
    call, rest = Call(), list(argv)
    while rest and len(rest[0]) > 1 and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.removeprefix("-").removeprefix("-").partition("=")
        if name in ("h", "help") and name not in by_flag:
            call.help = True
            continue
        option = by_flag.get(name)
        if option is None:
            raise UsageError(f"unknown flag -{name}{did_you_mean(name, by_flag, '-')}")
        if not equals and option.kind is BOOL:
            value = "true"
        elif not equals and option.kind.bare is not None and (not rest or rest[0].startswith("-")):
            value = option.kind.bare
        elif not equals and not rest:
            raise UsageError(f"flag -{name} needs a value ({option.kind.name})")
        elif not equals:
            value = rest.pop(0)
        _apply_flag(call.tree, option, name, value)
    call.arguments = rest
    return call


def _apply_flag(tree: Tree, option: Option, name: str, text: str) -> None:
    try:
        value = option.kind.convert(text)
        if option.apply is not None:
            option.apply(tree, value)
            return
    except ValueError as error:
        raise UsageError(f"flag -{name}: {error}") from error
    if option.kind.repeat:
        value = [*(lookup(tree, option.key) or []), *value]
    assign(tree, option.key, value)


def lookup(tree: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key, None if there is none."""
    value: Any = tree
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def assign(tree: Tree, key: str, value: Any) -> None:
    """Set the value at a dotted key; what is on the way there is made."""
    *path, last = key.split(".")
    for part in path:
        tree = tree.setdefault(part, {})
    tree[last] = value


def merge(under: Tree, over: Tree) -> Tree:
    """Both trees in one: the second wins, key by key; lists are joined."""
    result = dict(under)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            result[key] = merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            result[key] = old + value
        else:
            result[key] = value
    return result


def normalize(options: Iterable[Option], document: Mapping[str, Any], where: str) -> Tree:
    """The tree of one file's document. Raises ConfigError for unknown keys and wrong types; `where` names the file."""
    return _normalize(_schema(options), document, where, "")


def _schema(options: Iterable[Option]) -> Tree:
    """Nested dicts with options as leaves; a block that may be repeated is a list of one dict."""
    schema: Tree = {}
    for option in options:
        if option.cli_only:
            continue
        node, (*path, last) = schema, option.key.split(".")
        for part in path:
            name = part.removesuffix("[]")
            entry = node.setdefault(name, [{}] if part != name else {})
            node = entry[0] if isinstance(entry, list) else entry
        node[last] = option
    return schema


def _normalize(schema: Tree, document: Mapping[str, Any], where: str, path: str) -> Tree:
    result: Tree = {}
    for key, value in document.items():
        place, node = path + key, schema.get(key)
        if isinstance(node, Option):
            try:
                result[key] = node.kind.convert(value)
            except ValueError as error:
                raise ConfigError(f"configuration {where}: {place}: {error}") from error
        elif node is None:
            hint = _hint(key, place, path, schema)
            raise ConfigError(f"configuration {where}: unknown key {place!r}{hint}")
        elif isinstance(node, list):
            blocks = [_normalize(node[0], block, where, place + ".") for block in _blocks(value, where, place)]
            result[key] = result.get(key, []) + blocks
        else:
            for block in _blocks(value, where, place):
                result[key] = merge(result.get(key, {}), _normalize(node, block, where, place + "."))
    return result


def _hint(key: str, place: str, path: str, schema: Tree) -> str:
    """The nearest key: of this block, or where the flag of that name has its setting; else the few keys of a small block."""
    flag = key.replace("_", "-")
    if close := did_you_mean(key, schema):
        return close
    for option in () if path else _leaves(schema):
        if flag in option.flags:
            block, dot, last = option.key.rpartition(".")
            return f"; the setting of -{flag} is {block} {{ {last} = … }}" if dot else f"; did you mean {option.key}?"
    return f"; allowed: {', '.join(sorted(schema))}" if len(schema) <= _FEW else "; -h and the man page list all keys"


def _leaves(schema: Tree) -> Iterator[Option]:
    for node in schema.values():
        if isinstance(node, Option):
            yield node
        else:
            yield from _leaves(node[0] if isinstance(node, list) else node)


def _blocks(value: Any, where: str, place: str) -> list[Mapping[str, Any]]:
    blocks = value if isinstance(value, list) else [value]
    if not all(isinstance(block, dict) for block in blocks):
        raise ConfigError(f"configuration {where}: {place} must be a block: {place} {{ … }}")
    return blocks


class Settings:
    """What holds for a run: the tree of files and flags above the environment and the table's defaults."""

    def __init__(self, options: Iterable[Option], tree: Tree, environ: Mapping[str, str]) -> None:
        self.tree = tree
        self.environ = environ
        self._defaults = {option.key: _default(option, environ) for option in options}

    def __getitem__(self, key: str) -> Any:
        """The value at a dotted key of the table, its default if nobody gave one."""
        value = lookup(self.tree, key)
        return self._defaults[key] if value is None else value

    def given(self, key: str) -> bool:
        """Whether a file or a flag gave it."""
        return lookup(self.tree, key) is not None

    def blocks(self, name: str) -> list[Tree]:
        """The blocks that may be repeated, in order: those of files, then those of flags."""
        return list(lookup(self.tree, name) or [])


def _default(option: Option, environ: Mapping[str, str]) -> Any:
    for name in option.environ:
        if environ.get(name):
            try:
                return option.kind.convert(environ[name])
            except ValueError as error:
                raise ConfigError(f"variable {name}: {error}") from error
    return option.default


def load_settings(
    options: Sequence[Option], call: Call, environ: Mapping[str, str], config_key: str = "config"
) -> Settings:
    """The files that the flag with `config_key` names, in order, then the flags. Raises ConfigError."""
    tree: Tree = {}
    for path in call.tree.get(config_key, []):
        for file in config_files(path):
            tree = merge(tree, normalize(options, read_config(file), str(file)))
    return Settings(options, merge(tree, call.tree), environ)


def render_help(usage: str, options: Iterable[Option]) -> str:
    """The usage line and each flag with its kind, its text and its default, in the table's order."""
    import textwrap

    lines = [usage, "", "Options:", ""]
    for option in options:
        if not option.flags:
            continue
        value = "" if option.kind is BOOL else f"=<{option.kind.name}>"
        default = (
            "" if option.default in (None, False, "", [], (), (0.0, 0.0)) else f" (default: {_shown(option.default)})"
        )
        text = textwrap.wrap(
            option.help + default,
            _WIDTH,
            initial_indent="      ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += [f"  -{option.flags[0]}{value}", *text]
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        whole = next(
            (f"{value / size:g}{unit}" for size, unit in ((3600, "h"), (60, "m")) if value and not value % size), ""
        )
        return whole or f"{value:g}s"
    return str(getattr(value, "name", value))
