"""What is known of one template before it is read: where it comes from, where it goes, what happens then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyconsul.tools.settings import Settings, Tree, lookup

#: Seconds that a command may run unless the configuration says otherwise.
COMMAND_TIMEOUT = 30.0


class SpecError(Exception):
    """A template's settings contradict each other or are incomplete; the text names the template."""


@dataclass(frozen=True)
class Environment:
    """Which variables a command gets: all that match, or only the custom ones (`NAME=value`)."""

    pristine: bool = False
    custom: tuple[str, ...] = ()
    allowlist: tuple[str, ...] = ()
    denylist: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """What runs after files have changed. Equal commands of one pass run once. Durations are seconds."""

    words: tuple[str, ...]
    timeout: float = COMMAND_TIMEOUT
    splay: float = 0.0
    environment: Environment = field(default=Environment())


@dataclass(frozen=True)
class Spec:
    """`contents` is None when `source` names a file. `perms`, `user`, `group`: None keeps what the file has.

    `wait`: the shortest and the longest quiescence in seconds. `error_fatal`: None leaves it to the circumstances.
    """

    destination: str
    source: str = ""
    contents: str | None = None
    syntax: str = "jinja2"
    left: str = ""
    right: str = ""
    command: Command | None = None
    perms: int | None = None
    user: str | None = None
    group: str | None = None
    backup: bool = False
    create_dest_dirs: bool = True
    error_on_missing_key: bool = False
    error_fatal: bool | None = None
    denylist: tuple[str, ...] = ()
    sandbox: str = ""
    wait: tuple[float, float] = (0.0, 0.0)

    @property
    def name(self) -> str:
        """How messages call the template."""
        return self.source or f"contents of {self.destination}"

    @property
    def folder(self) -> Path:
        """Where its includes and macros are looked for."""
        return Path(self.source).parent if self.source else Path()


def specs_of(settings: Settings) -> list[Spec]:
    """All templates, those of files first, in order. Raises SpecError."""
    return [_spec(block, settings) for block in settings.blocks("template")]


def _spec(block: Tree, settings: Settings) -> Spec:
    source, contents = block.get("source", ""), block.get("contents")
    destination = block.get("destination", "")
    shown = source or destination or "a template"
    if source and contents is not None:
        raise SpecError(f"template {shown}: give either source or contents, not both")
    if not source and contents is None:
        raise SpecError(f"template {shown}: neither source nor contents is given")
    if not destination and not settings["dry"]:
        raise SpecError(f"template {shown}: no destination is given: use source:destination")
    fatal = block.get("error_fatal")
    return Spec(
        destination=destination,
        source=source,
        contents=contents,
        syntax=block.get("syntax") or _syntax_of(source),
        left=block.get("left_delimiter") or settings["default_delimiters.left"],
        right=block.get("right_delimiter") or settings["default_delimiters.right"],
        command=_command(block),
        perms=block.get("perms"),
        user=_owner(block, "user", "uid"),
        group=_owner(block, "group", "gid"),
        backup=block.get("backup", False),
        create_dest_dirs=block.get("create_dest_dirs", True),
        error_on_missing_key=block.get("error_on_missing_key", False),
        error_fatal=settings["template_error_fatal"] if fatal is None else fatal,
        denylist=(*block.get("function_denylist", ()), *block.get("function_blacklist", ())),
        sandbox=block.get("sandbox_path", ""),
        wait=block.get("wait") or settings["wait"],
    )


def _syntax_of(source: str) -> str:
    """Inline contents are Go's: configuration files were written for it."""
    return "go" if not source or source.endswith(".ctmpl") else "jinja2"


def _owner(block: Mapping[str, Any], name: str, number: str) -> str | None:
    value = block.get(name, block.get(number))
    return None if value is None else str(value)


def _command(block: Tree) -> Command | None:
    words = lookup(block, "exec.command") or block.get("command") or ()
    if not any(word.strip() for word in words) or lookup(block, "exec.enabled") is False:
        return None
    timeout = lookup(block, "exec.timeout")
    if timeout is None:
        timeout = block.get("command_timeout", COMMAND_TIMEOUT)
    env = lookup(block, "exec.env") or {}
    environment = Environment(
        env.get("pristine", False), *(tuple(env.get(key, ())) for key in ("custom", "allowlist", "denylist"))
    )
    return Command(tuple(words), timeout, lookup(block, "exec.splay") or 0.0, environment)
