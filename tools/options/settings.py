"""One table of options for a tool: flags, keys of configuration files, defaults and help.

    ADDRESS = Option("consul.address", TEXT, "Address of Consul", "", flags=("consul-addr", "http-addr"))
    call = parse_flags((ADDRESS,), sys.argv[1:])              # Go's flag syntax; UsageError
    settings = load_settings((ADDRESS,), call, environ)       # files of -config, then flags; ConfigError
    settings[ADDRESS], settings.blocks("prefix"), settings.given(ADDRESS)

A configuration is a tree: nested dicts whose leaves `Kind.convert` has made. Blocks that may be repeated are lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from signal import Signals
from typing import Any, NamedTuple, TypeVar

from pyconsul.agent.common.go.booleans import parse_go_bool
from pyconsul.agent.common.options import HelpRequested, Kind, MissingValue, Option, OptionError, UnknownFlag, scan
from pyconsul.agent.common.process.child_process import parse_signal
from pyconsul.agent.common.structs import field, struct
from pyconsul.agent.common.suggest import did_you_mean
from pyconsul.tools.options.duration import parse_config_duration_s, parse_wait_s
from pyconsul.tools.options.hcl_file import ConfigError, config_files, describe_mistake, read_config

T = TypeVar("T")
Tree = dict[str, Any]

#: Keys of a block that are listed in an error.
_FEW = 8


class UsageError(Exception):
    """The command line cannot be understood; the text says why."""


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


def parse_signal_text(value: Any) -> Signals | None:
    return parse_signal(_text(value))


def _strings(value: Any) -> list[str]:
    return [_text(entry) for entry in (value if isinstance(value, list) else [value])]


def _command(value: Any) -> tuple[str, ...]:
    """Return a tuple, since lists are joined when two configurations are."""
    return tuple(_strings(value))


def _join(before: list[str], more: list[str]) -> list[str]:
    return before + more


TEXT: Kind[str] = Kind("string", _text)
BOOL: Kind[bool] = Kind("bool", _bool, is_switch=True)
INT: Kind[int] = Kind("int", _int)
DURATION: Kind[float] = Kind("duration", _duration)  # seconds
WAIT_RANGE: Kind[tuple[float, float]] = Kind("min[:max]", _wait)  # seconds, seconds; (0, 0): do not wait
SIGNAL: Kind[Signals | None] = Kind("signal", parse_signal_text)  # None: no signal
STRINGS: Kind[Sequence[str]] = Kind("list of strings", _strings, join=_join)
COMMAND: Kind[tuple[str, ...]] = Kind("command", _command)  # one word: a shell line


@struct(frozen=False)
class Call:
    """A parsed command line: the tree of its flags, the arguments, and whether help is wanted."""

    tree: Tree = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    help: bool = False


def parse_flags(options: Iterable[Option[Any]], argv: Sequence[str]) -> Call:
    """Read a command line in Go's grammar. Raises UsageError."""
    call = Call()
    try:
        given, call.arguments = scan(options, argv)
    except HelpRequested:
        return Call(help=True)
    except UnknownFlag as error:
        raise UsageError(f"unknown flag -{error.flag}{did_you_mean(error.flag, error.known, '-')}") from None
    except MissingValue as error:
        raise UsageError(f"flag -{error.flag} needs a value ({error.option.kind.name})") from None
    except OptionError as error:
        raise UsageError(str(error)) from None
    for option, name, text in given:
        _apply_flag(call.tree, option, name, text)
    return call


def _apply_flag(tree: Tree, option: Option[Any], name: str, text: str) -> None:
    try:
        value = option.read(text)
        if option.apply is not None:
            option.apply(tree, value)
            return
    except ValueError as error:
        raise UsageError(f"flag -{name}: {error}") from error
    if option.kind.join is not None:
        value = option.kind.join(lookup(tree, option.key) or [], value)
    assign(tree, option.key, value)


def lookup(tree: Mapping[str, Any], key: str) -> Any:
    """Return the value at a dotted key, or None."""
    value: Any = tree
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def assign(tree: Tree, key: str, value: Any) -> None:
    """Set the value at a dotted key; missing parents are created."""
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


class _Path(NamedTuple):
    """A key below its blocks: as messages show it, and with the number of each repeated block, for its location."""

    shown: str = ""
    numbered: str = ""

    def child(self, key: str) -> _Path:
        return _Path(f"{self.shown}.{key}", f"{self.numbered}.{key}") if self.shown else _Path(key, key)

    def block(self, number: int) -> _Path:
        return _Path(self.shown, f"{self.numbered}[{number}]")


_Mistakes = list[tuple[_Path, str]]


def normalize(options: Iterable[Option[Any]], document: Mapping[str, Any], where: str, text: str = "") -> Tree:
    """Return the tree of one file's document; `where` names the file, `text` is what it holds.

    Raises ConfigError with all unknown keys and wrong types, each with its location where that is certain.
    """
    mistakes: _Mistakes = []
    tree = _normalize(_schema(options), document, _Path(), mistakes)
    if mistakes:
        raise ConfigError("\n".join(describe_mistake(where, text, path.numbered, words) for path, words in mistakes))
    return tree


def _schema(options: Iterable[Option[Any]]) -> Tree:
    """Nested dicts with options as leaves; a block that may be repeated is a list of one dict."""
    schema: Tree = {}
    for option in options:
        if option.flag_only:
            continue
        node, (*path, last) = schema, option.key.split(".")
        for part in path:
            name = part.removesuffix("[]")
            entry = node.setdefault(name, [{}] if part != name else {})
            node = entry[0] if isinstance(entry, list) else entry
        node[last] = option
    return schema


def _normalize(schema: Tree, document: Mapping[str, Any], parent: _Path, mistakes: _Mistakes) -> Tree:
    result: Tree = {}
    for key, value in document.items():
        path, node = parent.child(key), schema.get(key)
        if isinstance(node, Option):
            try:
                result[key] = node.kind.convert(value)
            except ValueError as error:
                mistakes.append((path, f"{path.shown}: {error}"))
        elif node is None:
            mistakes.append((path, f"unknown key {path.shown!r}{_hint(key, parent.shown, schema)}"))
        elif isinstance(node, list):
            blocks = [_normalize(node[0], block, place, mistakes) for place, block in _blocks(value, path, mistakes)]
            result[key] = result.get(key, []) + blocks
        else:
            for place, block in _blocks(value, path, mistakes):
                result[key] = merge(result.get(key, {}), _normalize(node, block, place, mistakes))
    return result


def _hint(key: str, parent: str, schema: Tree) -> str:
    """Return the nearest key (of this block, or the setting of the flag with that name), or all keys of a small block."""
    flag = key.replace("_", "-")
    if close := did_you_mean(key, schema):
        return close
    for option in () if parent else _leaves(schema):
        if flag in option.flags:
            block, dot, last = option.key.rpartition(".")
            return f"; the setting of -{flag} is {block} {{ {last} = … }}" if dot else f"; did you mean {option.key}?"
    return f"; allowed: {', '.join(sorted(schema))}" if len(schema) <= _FEW else "; -h and the man page list all keys"


def _leaves(schema: Tree) -> Iterator[Option[Any]]:
    for node in schema.values():
        if isinstance(node, Option):
            yield node
        else:
            yield from _leaves(node[0] if isinstance(node, list) else node)


def _blocks(value: Any, path: _Path, mistakes: _Mistakes) -> list[tuple[_Path, Mapping[str, Any]]]:
    blocks = value if isinstance(value, list) else [value]
    if not all(isinstance(block, dict) for block in blocks):
        mistakes.append((path, f"{path.shown} must be a block: {path.shown} {{ … }}"))
        return []
    if blocks is not value:
        return [(path, value)]
    return [(path.block(number), block) for number, block in enumerate(blocks)]


class Settings:
    """The settings of a run: the tree of files and flags above the environment and the table's defaults."""

    def __init__(self, options: Iterable[Option[Any]], tree: Tree, environ: Mapping[str, str]) -> None:
        self.tree = tree
        self.environ = environ
        self._defaults = {option.key: _default(option, environ) for option in options}

    def __getitem__(self, option: Option[T]) -> T:
        """Return the value of an option of the table, or its default."""
        value: T | None = lookup(self.tree, option.key)
        default: T = self._defaults[option.key]
        return default if value is None else value

    def given(self, option: Option[Any]) -> bool:
        """Return whether a file or a flag gave it."""
        return lookup(self.tree, option.key) is not None

    def blocks(self, name: str) -> list[Tree]:
        """Return the blocks that may be repeated, in order: those of files, then those of flags."""
        return list(lookup(self.tree, name) or [])


def _default(option: Option[Any], environ: Mapping[str, str]) -> Any:
    for name in option.environ:
        if environ.get(name):
            try:
                return option.kind.convert(environ[name])
            except ValueError as error:
                raise ConfigError(f"variable {name}: {error}") from error
    return option.default


def load_settings(
    options: Sequence[Option[Any]], call: Call, environ: Mapping[str, str], config_key: str = "config"
) -> Settings:
    """Return the files that the flag with `config_key` names, in order, then the flags.

    Raises ConfigError with the mistakes of all files.
    """
    tree: Tree = {}
    mistakes: list[str] = []
    for path in call.tree.get(config_key, []):
        for file in config_files(path):
            try:
                document, text = read_config(file)
                tree = merge(tree, normalize(options, document, str(file), text))
            except ConfigError as error:
                mistakes.append(str(error))
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return Settings(options, merge(tree, call.tree), environ)
