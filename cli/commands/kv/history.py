"""`pyconsul kv history` and `kv rollback`: earlier values of keys, and restoring them.

The agent keeps a bounded history (its settings kv_history_*); Consul's own agents keep none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import number, switch
from pyconsul.cli.commands.kv.get import entries_below, key_argument, value_of
from pyconsul.cli.commands.kv.sync import finish
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.http.client import Query
from pyconsul.cli.kv.apply import MAX_PRUNE, guard_deletions
from pyconsul.cli.kv.plan import Change, Wanted, changes, difference, shown
from pyconsul.cli.output.render import check_format, colored, document, format_flag, table

_GONE = 410
_WIDTH = 40  # characters of a value in a table


def history(context: Context) -> None:
    """Print the versions of a key, or of all keys below a prefix, the newest first."""
    args = context.args
    key = key_argument(args.rest)
    if not args.rest or args.rest == [""]:
        raise UsageError("Error! Missing KEY or PREFIX/ argument; / shows the history of all keys")
    tree, limit = key == "" or key.endswith("/"), args[_LIMIT]
    query = {"recurse": ""} if tree else {}
    if limit and not (tree and args[_DIFF]):
        query["limit"] = str(limit + 1)  # the oldest that is shown differs from the one before it
    found = _read(context, key, query)
    versions = found[:limit] if limit else found
    if document(context, versions):
        return
    if not found:
        what = f"No key exists below: {key}" if tree else f"No key exists at: {key}"
        raise CliError(f"Error! {what}, and none did as far as the history goes", Status.NOT_FOUND)
    if args[_DIFF]:
        _print_steps(context, versions, found)
    elif tree:
        table(
            context, ("Index", "Time", "Size", "Key", "Value"), [_row(version, version["Key"]) for version in versions]
        )
    else:
        table(context, ("Index", "Time", "Size", "Value"), [_row(version) for version in versions])


def _print_steps(context: Context, versions: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]) -> None:
    """Return the changes of each version; `found` also has the versions before the oldest ones shown."""
    of_key: dict[str, list[dict[str, Any]]] = {}
    for version in found:
        of_key.setdefault(version["Key"], []).append(version)
    for version in versions:
        context.out(f"== {version['Index']} {_time(version)}".rstrip())
        before = of_key[version["Key"]][of_key[version["Key"]].index(version) + 1 :]
        for line in colored(context, difference(_step(version, before[0] if before else None))):
            context.out(line)


def _read(context: Context, key: str, query: Query) -> Any:
    """Request the history. Raises CliError; an agent without a history answers 404."""
    response = context.client.request("GET", "/v1/pyconsul/kv-history/" + quote(key), query)
    if response.status == 404:
        raise CliError(
            "Error! This agent keeps no history of keys: it is Consul's own, or one of its settings kv_history_versions, "
            "kv_history_age and kv_history_size is 0"
        )
    if response.status == _GONE:
        raise CliError(f"Error! {response.body.decode(errors='replace').strip()}", Status.NOT_FOUND)
    return response.checked().json()


def _time(version: dict[str, Any]) -> str:
    return str(version["Time"] or "")


def _row(version: dict[str, Any], *key: str) -> tuple[str, ...]:
    if version["Deleted"]:
        return str(version["Index"]), _time(version), "", *key, "(deleted)"
    value = value_of(version)
    text = value.decode("utf-8", "replace")
    shown = "".join(letter if letter.isprintable() else "\N{MIDDLE DOT}" for letter in text[: _WIDTH + 1])
    return (
        str(version["Index"]),
        _time(version),
        str(len(value)),
        *key,
        shown if len(shown) <= _WIDTH else shown[:_WIDTH] + "…",
    )


def _step(version: dict[str, Any], before: dict[str, Any] | None) -> Change:
    """Return the difference between the version before and this one."""
    old = b"" if before is None or before["Deleted"] else value_of(before)
    new = b"" if version["Deleted"] else value_of(version)
    kind = "-" if version["Deleted"] else "+" if before is None or before["Deleted"] else "~"
    return Change(kind, version["Key"], old, new, version["Flags"], version["Index"])


def rollback(context: Context) -> None:
    """Show the writes and deletions that restore keys; with -apply make them."""
    args = context.args
    prefix, index = _place(args.rest)
    tree = prefix == "" or prefix.endswith("/")
    query = {"at": str(index)} | ({"recurse": ""} if tree else {})
    past = {entry["Key"]: entry for entry in _read(context, prefix, query)}
    wanted: Wanted = {key: (value_of(entry), entry["Flags"]) for key, entry in past.items()}
    stored = {entry["Key"]: entry for entry in entries_below(context, prefix) if tree or entry["Key"] == prefix}
    todo = changes(wanted, stored)
    people = check_format(context) == "table"
    for change in todo if people else ():
        for line in colored(context, shown(change, diff=args[_DIFF])):
            context.out(line)
    guard_deletions(context.args[_MAX_PRUNE], sum(change.kind == "-" for change in todo))
    finish(context, todo, applies=args[_APPLY], nothing=f"Nothing to do: all is as it was at index {index}.")


def _place(words: list[str]) -> tuple[str, int]:
    """KEY@index or PREFIX/@index."""
    if len(words) != 1:
        raise UsageError(f"Error! Expected one KEY@INDEX or PREFIX/@INDEX, got {len(words)}")
    key, mark, index = words[0].rpartition("@")
    if not mark or not (index.isascii() and index.isdigit()):
        raise UsageError(
            f"Error! Invalid {words[0]!r}: use KEY@INDEX, or PREFIX/@INDEX for all keys below; kv history shows indexes"
        )
    return key.removeprefix("/"), int(index)  # as other commands, `/` is all keys


_LIMIT = number("limit", "Show the newest N versions only; 0 shows all.", 0)
_DIFF = switch("diff", "Show the change of each version as a unified diff.")
_APPLY = switch("apply", "Write the changes. Without this flag they are only shown.")
_SHOW_DIFF = switch("diff", "Show differing values as unified diffs.")
_MAX_PRUNE = number("max-prune", "Write nothing when more keys than this would be deleted.", MAX_PRUNE)
COMMANDS = {
    "kv history": Command(
        history,
        _LIMIT,
        _DIFF,
        format_flag(),
        usage="KEY | PREFIX/",
        about="Shows the versions of a key that the agent has kept, the newest first, with the index at which each was "
        "written; with PREFIX/ those of all keys below it, deleted keys too, and with / those of all keys. The agent's "
        "settings kv_history_versions, kv_history_age and kv_history_size bound them; keys below the prefixes of "
        "kv_history_exclude have none.",
    ),
    "kv rollback": Command(
        rollback,
        _APPLY,
        _SHOW_DIFF,
        _MAX_PRUNE,
        format_flag(),
        usage="KEY@INDEX | PREFIX/@INDEX",
        about="Makes a key, or all keys below a prefix, what they were once the index was written: values and flags "
        "return, deleted keys too, and keys that were made since are deleted. If another client changes a key "
        "meanwhile, that key is left alone, and the command fails. /@INDEX is the whole store.",
    ),
}
