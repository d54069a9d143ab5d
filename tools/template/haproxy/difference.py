"""From one configuration to the next without a reload: the commands, when nothing but servers differ. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from pyconsul.tools.template.haproxy.config import BACKENDS, Section, Server, Words, decode
from pyconsul.tools.template.haproxy.servers import NeedsReload, additions, changes, has, ready, removals

#: Servers that come and go leave the others where they are.
_BALANCES = ("roundrobin", "leastconn", "random")
#: Lines of a backend because of which servers must not come and go at runtime.
_OBSTACLES = frozenset(
    {
        *("cookie", "dispatch", "dynamic-cookie-key", "email-alert", "external-check", "force-persist"),
        *("ignore-persist", "load-server-state-from-file", "persist", "server-template", "stick", "use-server"),
    }
)
#: How many servers a message names.
_SHOWN = 5
_OPTION_OBSTACLES = frozenset({"external-check", "transparent"})


@dataclass
class Update:
    """`commands`: in order. `leaving`: servers, by key, that serve nobody new and may be deleted once their connections
    have ended."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    leaving: dict[str, Server] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [("added", self.added), ("changed", self.changed), ("removed", self.removed)]
        return "; ".join(f"{word}: {_shown(keys)}" for word, keys in parts if keys)


def _shown(keys: Sequence[str]) -> str:
    rest = len(keys) - _SHOWN
    return ", ".join(keys[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def difference(old: Sequence[Section], new: Sequence[Section], leaving: Mapping[str, Server]) -> Update:
    """Return the commands that bring HAProxy from one configuration, with the servers that are leaving it, to another.

    Raises NeedsReload.
    """
    _require_same_sections(old, new)
    update = Update(leaving=dict(leaving))
    adding: list[str] = []
    changing: list[str] = []
    removing: list[str] = []
    for before, after in zip(old, new, strict=True):
        _require_same_lines(before, after)
        if before.kind not in BACKENDS or before.servers == after.servers:
            continue
        _require_simple([*old, *new])
        for kind, more in zip((adding, changing, removing), _of_backend(before, after, update), strict=True):
            kind.extend(more)
    # There is never less to serve with than before or after.
    update.commands = adding + changing + removing
    return update


def _require_same_sections(old: Sequence[Section], new: Sequence[Section]) -> None:
    before, after = [section.header for section in old], [section.header for section in new]
    if before == after:
        return
    known = {*before}
    if fresh := [section.title for section in new if section.header not in known]:
        raise NeedsReload(f"{fresh[0]} is new")
    gone = [section.title for section in old if section.header not in {*after}]
    raise NeedsReload(f"{gone[0]} is gone" if gone else "the sections are in another order")


def _require_same_lines(old: Section, new: Section) -> None:
    for before, after in zip_longest(old.lines, new.lines, fillvalue=()):
        if before != after:
            raise NeedsReload(f"{new.title}: {_named(before, after)} lines differ")


def _named(before: Words, after: Words) -> str:
    return (after or before)[0]


def _require_simple(sections: Sequence[Section]) -> None:
    """No server follows another, and there is one worker."""
    for section in sections:
        if section.kind == "global" and any(line[0] == "nbproc" for line in section.lines):
            raise NeedsReload("there are several workers: nbproc")
        if any("track" in map(decode, server.words + server.inherited) for server in section.servers):
            raise NeedsReload(f"{section.title}: a server has track")


def _of_backend(old: Section, new: Section, update: Update) -> tuple[list[str], list[str], list[str]]:
    """Return the commands that add, change and remove the servers of a backend; they are noted in `update`."""
    before, after = _by_name(old), _by_name(new)
    _require_backup_order(before, after)
    adding: list[str] = []
    changing: list[str] = []
    removing: list[str] = []
    for name, server in after.items():
        if name not in before:
            _require_mobile(new)
            adding += _come(server, update)
            update.added.append(server.key)
        elif commands := changes(before[name], server):
            if any(" weight " in command for command in commands):
                _require_mobile(new)
            changing += commands
            update.changed.append(server.key)
    for name, server in before.items():
        if name not in after:
            _require_mobile(new)
            removing += removals(server)
            update.removed.append(server.key)
            update.leaving[server.key] = server
    return adding, changing, removing


def _come(server: Server, update: Update) -> list[str]:
    """Add a server, or bring back one that has not left yet."""
    left = update.leaving.pop(server.key, None)
    if left is None:
        return additions(server)
    if has(server, "backup"):
        raise NeedsReload(f"server {server.key}: its earlier namesake, which is a backup, has not left yet")
    commands = changes(left, server)
    return commands if has(server, "disabled") else [*(c for c in commands if c != ready(server)), ready(server)]


def _by_name(section: Section) -> dict[str, Server]:
    servers = {server.name: server for server in section.servers}
    if len(servers) < len(section.servers):
        raise NeedsReload(f"{section.title}: several servers have the same name")
    return servers


def _require_backup_order(before: Mapping[str, Server], after: Mapping[str, Server]) -> None:
    """Require a reload where the order of backups would change: a new server is always the last."""
    kept = [name for name in before if name in after] + [name for name in after if name not in before]
    if [name for name in kept if has(after[name], "backup")] != [name for name in after if has(after[name], "backup")]:
        raise NeedsReload("the backup servers are in another order")


def _require_mobile(section: Section) -> None:
    """Servers may come and go, and change their weights."""
    lines = section.all_lines()
    balance = [line[1] for line in lines if line[0] == "balance" and len(line) > 1][-1:] or ["roundrobin"]
    if balance[0].partition("(")[0] not in _BALANCES:
        raise NeedsReload(f"{section.title}: servers cannot come and go at runtime with balance {balance[0]}")
    for line in lines:
        if line[0] in _OBSTACLES:
            raise NeedsReload(f"{section.title}: servers cannot come and go at runtime with {line[0]}")
        if line[0] == "option" and line[1:2] and line[1] in _OPTION_OBSTACLES:
            raise NeedsReload(f"{section.title}: servers cannot come and go at runtime with option {line[1]}")
