"""`pyconsul kv diff` and `kv sync`: a folder, or an export, against the KV store."""

from __future__ import annotations

import os

from pyconsul.agent.common.options import number, switch, text
from pyconsul.cli.commands.kv.get import entries_below
from pyconsul.cli.commands.kv.transfer import read_export
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.kv.apply import MAX_PRUNE, apply_changes, counts, guard_deletions
from pyconsul.cli.kv.plan import Change, Wanted, changes, common_folder, folder_entries, shown
from pyconsul.cli.output.render import check_format, colored, document, format_flag


def diff(context: Context) -> int | None:
    """Print the differences as diff -u does; the exit code is 1 with differences."""
    found = _changes(context)
    if document(context, [change.document() for change in found]):
        return Status.FAILURE if found else None
    names = context.args[_NAMES]
    for change in found:
        for line in colored(context, shown(change, diff=not names)):
            context.out(line)
    return Status.FAILURE if found else None


def sync(context: Context) -> None:
    """Show the planned changes; with -apply make them. Raises CliError before anything is written, or on a conflict."""
    args = context.args
    found = _changes(context)
    kept = [change for change in found if change.kind == "-" and not args[_PRUNE]]
    todo = [change for change in found if change not in kept]
    people = check_format(context) == "table"
    for change in todo if people else ():
        for line in colored(context, shown(change, diff=args[_DIFF])):
            context.out(line)
    if kept:
        context.note(f"{len(kept)} keys are only in the store; -prune deletes them.")
    guard_deletions(context.args[_MAX_PRUNE], sum(change.kind == "-" for change in todo))
    finish(context, todo, applies=args[_APPLY])


def finish(context: Context, todo: list[Change], *, applies: bool, nothing: str = "Nothing to do.") -> None:
    """Make the changes that were shown, or say that they were only shown. Raises CliError.

    nothing: the text when there are none.
    """
    if applies:
        apply_changes(context, todo)
    if document(context, {"Applied": applies, "Changes": [change.document() for change in todo]}):
        return
    if not todo:
        context.out(nothing)
    elif applies:
        context.out(f"Done: {counts(todo)}.")
    else:
        context.out(f"Nothing was written. With -apply: {counts(todo)}.")


def _changes(context: Context) -> list[Change]:
    words, prefix = context.args.rest, context.args[_PREFIX]
    if len(words) != 1:
        raise UsageError(f"Error! Expected one folder or file, got {len(words)}")
    if prefix.startswith("/"):
        raise UsageError(f"Error! Invalid prefix. It must not begin with a '/': {prefix}")
    wanted = _wanted(context, words[0], prefix)
    if not wanted:
        raise CliError(f"Error! There is nothing in {words[0]}")
    scope = _scope(context, words[0], prefix, wanted)
    return changes(wanted, {entry["Key"]: entry for entry in entries_below(context, scope)})


def _scope(context: Context, path: str, prefix: str, wanted: Wanted) -> str:
    """Return the prefix of the keys that are compared; keys outside of it are not changed."""
    if context.args.given(_PREFIX) and (not prefix or os.path.isdir(path)):
        return prefix
    scope = common_folder(wanted)
    if not scope and context.args[_PRUNE]:
        raise CliError(
            f"Error! The keys of {path} share no folder, so -prune could delete any key; nothing was written. "
            "If that is meant, say -prefix= (the whole store)."
        )
    return scope


def _wanted(context: Context, path: str, prefix: str) -> Wanted:
    if os.path.isdir(path):
        return folder_entries(path, prefix, chomp=context.args[_CHOMP])
    data = context.read_source(path if path == "-" else f"@{path}")
    return {prefix + key: (value, flags) for key, flags, value in read_export(data)}


_PREFIX = text("prefix", "Prefix for every key.", metavar="prefix")
_CHOMP = switch("chomp", "Remove one line break at the end of each file from the value.")
_SOURCE = (
    _PREFIX,
    _CHOMP,
)
_ABOUT = (
    "The files of a folder are keys, named by their path in it; what begins with a dot is passed over. "
    "A file is what kv export prints; - is standard input.\n\n"
    "Only keys in the folder that all given keys share are looked at, or deleted: with the export of cfg/ those below "
    "cfg/, with -prefix=web/ and a folder those below web/. -prefix= looks at the whole store."
)
_NAMES = switch("names", "Print only the keys: + to be created, ~ to be changed, - only in the store.")
_APPLY = switch("apply", "Write the changes. Without this flag they are only shown.")
_DIFF = switch("diff", "Show differing values as unified diffs.")
_PRUNE = switch("prune", "Delete the keys that are only in the store, in the folder that all given keys share.")
_MAX_PRUNE = number("max-prune", "Write nothing when -prune would delete more keys than this.", MAX_PRUNE)
COMMANDS = {
    "kv diff": Command(
        diff,
        *_SOURCE,
        _NAMES,
        format_flag(),
        usage="FOLDER_OR_FILE",
        about=f"{_ABOUT}\n\nExits with 1 when there is a difference.",
    ),
    "kv sync": Command(
        sync,
        *_SOURCE,
        _APPLY,
        _DIFF,
        _PRUNE,
        _MAX_PRUNE,
        format_flag(),
        usage="FOLDER_OR_FILE",
        about=f"{_ABOUT}\n\nIf another client changes a key meanwhile, that key is left alone, and the command fails.",
    ),
}
