"""What is known of one template before it is read: where it comes from, where it goes, what happens then."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.structs import struct
from pyconsul.tools.options.settings import Settings, Tree, lookup

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.share_id import ShareId

#: The source that is stdin, and the destination that is stdout.
STREAM = "-"
#: Seconds that a command may run unless the configuration says otherwise.
COMMAND_TIMEOUT = 30.0


class SpecError(Exception):
    """A template's settings contradict each other or are incomplete; the text names the template."""


@struct(frozen=True)
class Environment:
    """Which variables a command gets: all that match, or only the custom ones (`NAME=value`)."""

    pristine: bool = False
    custom: tuple[str, ...] = ()
    allowlist: tuple[str, ...] = ()
    denylist: tuple[str, ...] = ()


@struct(frozen=True)
class Command:
    """What runs after files have changed. Equal commands of one pass run once. Durations are seconds."""

    words: tuple[str, ...]
    timeout: float = COMMAND_TIMEOUT
    splay: float = 0.0
    environment: Environment = Environment()

    @property
    def shown(self) -> str:
        """How messages name it."""
        return " ".join(self.words)


@struct(frozen=True)
class Check:
    """What judges new files before they take the old ones' place. `words`: `{{ path }}` stands for the new file,
    `{{ paths }}` for all of a group. `timeout`: seconds."""

    words: tuple[str, ...]
    timeout: float = COMMAND_TIMEOUT


@struct(frozen=True)
class Group:
    """Templates that belong together: rendered from one view of the data, checked and promoted together, one command.

    `wait`: None takes that of the first template.
    """

    name: str
    command: Command | None = None
    check: Check | None = None
    wait: tuple[float, float] | None = None


@struct(frozen=True)
class Spec:
    """`contents` is None when `source` names a file; `source` is "-" for stdin, `destination` for stdout.
    `perms`, `user`, `group`: None keeps what the file has.

    `wait`: the shortest and the longest quiescence in seconds. `error_fatal`, `rollback`: None leaves it to the
    circumstances. `render_group`: the `Group` that it belongs to, "" for none. `haproxy`: whether it configures HAProxy; None:
    that is told by its name. `for_each`: an expression that gives a list; each item has a file of its own, and the
    destination is a template, too. `prune`: whether files of former items are removed. `absent`: the destination is one.
    `format`: see `field_safety.formats`, "" for text. `share`: under which its answers are shared with other machines,
    None for not at all.
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
    check: Check | None = None
    rollback: bool | None = None
    in_place: bool = False
    render_group: str = ""
    haproxy: bool | None = None
    for_each: str = ""
    prune: bool = False
    absent: bool = False
    share: ShareId | None = None
    format: str = ""

    @property
    def name(self) -> str:
        """How messages call the template."""
        if self.source == STREAM:
            return "stdin"
        return self.source or f"contents of {self.destination}"

    @property
    def to_stdout(self) -> bool:
        """Whether the text goes to stdout."""
        return self.destination == STREAM

    def survives_errors(self, *, must_survive: bool) -> bool:
        """Whether a failure leaves the last good file in use rather than ending the program. `must_survive`: what uses the
        files must not go down. Go templates end the program, as they always did."""
        return self.rollback if self.rollback is not None else must_survive or self.syntax != "go"

    @property
    def fixed_folder(self) -> Path:
        """The folder below which all files of a destination with expressions are."""
        return Path(os.path.normpath(os.path.dirname(self.destination.partition("{{")[0])))

    @property
    def folder(self) -> Path:
        """Where its includes and macros are looked for."""
        return Path(self.source).parent if self.source and self.source != STREAM else Path()


def specs_of(settings: Settings) -> list[Spec]:
    """All templates, those of files first, in order. Raises SpecError."""
    specs = [_spec(block, settings) for block in settings.blocks("template")]
    if sum(spec.source == STREAM for spec in specs) > 1:
        raise SpecError("several templates are to be read from stdin: only one can")
    if not settings["dry"]:
        _refuse_shared_destinations(specs)
    return specs


def _refuse_shared_destinations(specs: Sequence[Spec]) -> None:
    """Two templates with one file would overwrite each other for ever."""
    owners: dict[str, Spec] = {}
    for spec in specs:
        if spec.to_stdout:
            continue
        other = owners.setdefault(os.path.abspath(spec.destination), spec)
        if other is not spec:
            raise SpecError(
                f"templates {other.name} and {spec.name} have the same destination {spec.destination}: each needs its own"
            )


def configuration_files(specs: Sequence[Spec]) -> list[str]:
    """The destinations that are HAProxy's configuration: those that say so; or else those named .cfg; or the first."""
    possible = [spec for spec in specs if spec.haproxy is not False and not spec.for_each]
    chosen = [spec for spec in possible if spec.haproxy] or [
        spec for spec in possible if spec.destination.endswith(".cfg")
    ]
    return [spec.destination for spec in chosen or possible[:1]]


def groups_of(settings: Settings, specs: Sequence[Spec]) -> dict[str, Group]:
    """The groups that the templates name, by name; those without a block of their own have no command. SpecError."""
    blocks = {block.get("name", ""): block for block in settings.blocks("render_group")}
    named = list(dict.fromkeys(spec.render_group for spec in specs if spec.render_group))
    if unused := sorted(set(blocks) - set(named)):
        raise SpecError(
            f"no template belongs to the group {unused[0]!r}: give templates render_group = {unused[0]!r}"
            if unused[0]
            else "a render_group has no name: give it name = …"
        )
    return {name: _group(name, blocks.get(name, {})) for name in named}


def _group(name: str, block: Tree) -> Group:
    return Group(name, _command(block), _check(block), block.get("wait"))


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
    if block.get("for_each") and "{{" not in destination:
        raise SpecError(f"template {shown}: with for_each the destination needs {{{{ item… }}}}, a file for each item")
    if block.get("for_each") and block.get("render_group"):
        raise SpecError(
            f"template {shown}: for_each and render_group cannot be combined: the files of for_each come and go one by "
            "one; remove render_group here, and give this template its own check and command"
        )
    if block.get("prune") and not block.get("for_each"):
        raise SpecError(f"template {shown}: prune is for templates with for_each")
    fatal = block.get("error_fatal")
    return Spec(
        destination=destination,
        source=source,
        contents=contents,
        syntax=block.get("syntax") or _syntax_of(source, settings),
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
        check=_check(block),
        rollback=settings["rollback"] if block.get("rollback") is None else block["rollback"],
        in_place=block.get("in_place", False),
        render_group=block.get("render_group", ""),
        haproxy=block.get("haproxy"),
        for_each=block.get("for_each", ""),
        prune=block.get("prune", False),
        format=block.get("format", ""),
    )


def _check(block: Tree) -> Check | None:
    words = tuple(block.get("check") or ())
    if not any(word.strip() for word in words):
        return None
    return Check(words, block.get("check_timeout", COMMAND_TIMEOUT))


def _syntax_of(source: str, settings: Settings) -> str:
    """Inline contents are Go's: configuration files were written for it."""
    if source.endswith(".ctmpl"):
        return "go"
    chosen: str | None = settings["default_syntax"]
    return chosen or ("jinja2" if source else "go")


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
