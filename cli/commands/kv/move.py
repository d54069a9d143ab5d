"""`pyconsul kv copy` and `kv move`: a key, or all keys below a prefix, under other names."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import switch
from pyconsul.cli.commands.kv.get import entries_below, value_of
from pyconsul.cli.commands.kv.sync import finish
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.kv.apply import batches
from pyconsul.cli.kv.plan import Change, Wanted, changes, shown
from pyconsul.cli.output.render import check_format, colored, format_flag


def copy(context: Context) -> None:
    """Show the keys that a copy writes; with -apply write them."""
    _transfer(context, keep=True)


def move(context: Context) -> None:
    """Show the keys that a move writes and deletes; with -apply do it."""
    _transfer(context, keep=False)


def _transfer(context: Context, *, keep: bool) -> None:
    args = context.args
    todo = _changes(context, *_names(args.rest), keep=keep)
    for change in todo if check_format(context) == "table" else ():
        for line in colored(context, shown(change, diff=args[_DIFF])):
            context.out(line)
    finish(context, todo, applies=args[_APPLY])


def _names(words: list[str]) -> tuple[str, str]:
    """Return source and target: both are prefixes that end in `/` (empty: all keys), or both are keys. Raises UsageError."""
    if len(words) != 2:
        raise UsageError(f"Error! Expected SOURCE and TARGET, got {len(words)}")
    source, target = words
    is_tree = source.endswith("/")
    if not source or not target or (target == "/" and not is_tree):
        raise UsageError("Error! SOURCE and TARGET need a name; with SOURCE/, / means all keys")
    source, target = source.removeprefix("/"), target.removeprefix("/")
    if is_tree and target and not target.endswith("/"):
        target += "/"
    if not is_tree and target.endswith("/"):
        target += source.rpartition("/")[2]
    if source == target:
        raise UsageError(f"Error! SOURCE and TARGET are the same: {source or '/'}")
    return source, target


def _changes(context: Context, source: str, target: str, *, keep: bool) -> list[Change]:
    """Return what is written and deleted. Raises CliError when there is nothing, or when it cannot be done safely."""
    is_tree = not source or source.endswith("/")
    entries = _entries(context, source, is_tree=is_tree)
    if not entries:
        raise CliError(f"Error! No key exists {'below' if is_tree else 'at'}: {source or '/'}", Status.NOT_FOUND)
    if locks := sum(bool(one.get("Session")) for one in entries.values()):
        context.note(f"Locks on {locks} keys stay behind: a lock does not move with its key.")
    wanted: Wanted = {target + key[len(source) :]: (value_of(one), int(one["Flags"])) for key, one in entries.items()}
    there = _entries(context, target, is_tree=is_tree)
    stored = {key: one for key, one in there.items() if key in wanted} | ({} if keep else entries)
    todo = changes(wanted, stored)
    if entries.keys() & wanted.keys() and len(batches(todo)) > 1:
        raise CliError(
            f"Error! {source or '/'} and {target or '/'} overlap, and the changes do not fit into one transaction; "
            "nothing was written. Go by way of a third folder."
        )
    return todo


def _entries(context: Context, name: str, *, is_tree: bool) -> dict[str, dict[str, Any]]:
    """Return the entries below a prefix, or of a key, by key."""
    return {one["Key"]: one for one in entries_below(context, name) if is_tree or one["Key"] == name}


_APPLY = switch("apply", "Write the changes. Without this flag they are only shown.")
_DIFF = switch("diff", "Show differing values as unified diffs.")
_ABOUT = (
    "With SOURCE/ all keys below it, which keep the rest of their names below TARGET/. Values and flags are taken "
    "along; keys at the target are overwritten, and marked with ~ before. If another client changes a key meanwhile, that "
    "key is left alone, and the command fails."
)
COMMANDS = {
    "kv copy": Command(copy, _APPLY, _DIFF, format_flag(), usage="SOURCE TARGET", about=_ABOUT),
    "kv move": Command(
        move,
        _APPLY,
        _DIFF,
        format_flag(),
        usage="SOURCE TARGET",
        about=f"{_ABOUT} Everything is written before the old keys are deleted.",
    ),
}
