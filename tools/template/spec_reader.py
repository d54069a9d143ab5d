"""Read the templates and groups of a configuration. Pure: the templates themselves are not read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from pyconsul.tools.options.run import WAIT
from pyconsul.tools.options.settings import Settings, Tree, lookup
from pyconsul.tools.template.options.table import (
    DEFAULT_DELIMITERS_LEFT,
    DEFAULT_DELIMITERS_RIGHT,
    DEFAULT_SYNTAX,
    DRY,
    ROLLBACK,
    TEMPLATE_ERROR_FATAL,
)
from pyconsul.tools.template.spec import COMMAND_TIMEOUT, STREAM, Check, Command, Environment, Group, Spec, SpecError


def specs_of(settings: Settings) -> list[Spec]:
    """Return all templates, those of files first, in order. Raises SpecError."""
    specs = [_spec(block, settings) for block in settings.blocks("template")]
    if sum(spec.source == STREAM for spec in specs) > 1:
        raise SpecError("several templates are to be read from stdin: only one can")
    if not settings[DRY]:
        _refuse_shared_destinations(specs)
    return specs


def _refuse_shared_destinations(specs: Sequence[Spec]) -> None:
    """Refuse two templates with one destination: they would overwrite each other."""
    owners: dict[str, Spec] = {}
    for spec in specs:
        if spec.to_stdout:
            continue
        other = owners.setdefault(os.path.abspath(spec.destination), spec)
        if other is not spec:
            raise SpecError(
                f"templates {other.name} and {spec.name} have the same destination {spec.destination}: each needs its own"
            )


def groups_of(settings: Settings, specs: Sequence[Spec]) -> dict[str, Group]:
    """Return the groups that the templates name, by name; those without a block have no command. Raises SpecError."""
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
    if not destination and not settings[DRY]:
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
        left=block.get("left_delimiter") or settings[DEFAULT_DELIMITERS_LEFT],
        right=block.get("right_delimiter") or settings[DEFAULT_DELIMITERS_RIGHT],
        command=_command(block),
        perms=block.get("perms"),
        user=_owner(block, "user", "uid"),
        group=_owner(block, "group", "gid"),
        backup=block.get("backup", False),
        create_dest_dirs=block.get("create_dest_dirs", True),
        error_on_missing_key=block.get("error_on_missing_key", False),
        error_fatal=settings[TEMPLATE_ERROR_FATAL] if fatal is None else fatal,
        denylist=(*block.get("function_denylist", ()), *block.get("function_blacklist", ())),
        sandbox=block.get("sandbox_path", ""),
        wait=block.get("wait") or settings[WAIT],
        check=_check(block),
        rollback=settings[ROLLBACK] if block.get("rollback") is None else block["rollback"],
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
    chosen: str | None = settings[DEFAULT_SYNTAX]
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
