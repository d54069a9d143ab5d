"""The candidates for the next word of a `pyconsul` command line. Pure: the names of the agent are passed in.

Used by the scripts of `completions/`, through `cli/completion/answer.py`. Words come from
`registry`, flags and their values from each `Command`; only the kinds of arguments are declared here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pyconsul.agent.common.options import Option
from pyconsul.cli.help.registry import AGENT, COMMANDS, GROUPS, find, load

#: A possible word, and its description.
Item = tuple[str, str]
#: Returns the names of a kind with a prefix: `live(kind, prefix, words)`; words are those before the current one.
Live = Callable[[str, str, Sequence[str]], list[str]]

FILES, FOLDERS = "files", "folders"
KEYS, SERVICES, INSTANCES = "keys", "services", "instances"
NODES, DATACENTERS, SESSIONS = "nodes", "datacenters", "sessions"
POLICIES, ROLES = "policies", "roles"
WATCH_TYPES = ("key", "keyprefix", "services", "nodes", "service", "checks", "event")  # as `watchplan.TYPES`

#: The kind of name that a flag's value is, for flags without choices.
_FLAG_VALUES = {
    "service": SERVICES, "node": NODES, "near": NODES, "datacenter": DATACENTERS, "dc": DATACENTERS, "key": KEYS,
    "policy-name": POLICIES, "role-name": ROLES, "prefix": KEYS, "session": SESSIONS, "output": FILES,
    "config-dir": FOLDERS, "config-file": FILES,
    "data-dir": FOLDERS, "pid-file": FILES, "log-file": FILES, "ui-dir": FOLDERS,
}  # fmt: skip
#: The same where a command means something else by it.
_OWN_FLAG_VALUES = {
    ("maint", "service"): INSTANCES,
    ("members", "why"): NODES,
    ("acl policy read", "name"): POLICIES,
    ("acl policy update", "name"): POLICIES,
    ("acl policy delete", "name"): POLICIES,
    ("acl role read", "name"): ROLES,
    ("acl role delete", "name"): ROLES,
    ("services deregister", "id"): INSTANCES,
}
#: The kinds of names that a command's arguments are, in order; the last kind holds for all further arguments.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "kv copy": (KEYS, KEYS, ""), "kv move": (KEYS, KEYS, ""),
    "kv delete": (KEYS, ""), "kv diff": (FILES, ""), "kv edit": (KEYS, ""), "kv export": (KEYS, ""),
    "kv get": (KEYS, ""), "kv put": (KEYS, ""), "kv sync": (FOLDERS, ""), "kv tree": (KEYS, ""),
    "kv watch": (KEYS, ""), "lock": (KEYS, ""), "force-leave": (NODES, ""), "rtt": (NODES, NODES, ""),
    "health": (SERVICES, ""), "session destroy": (SESSIONS,), "services register": (FILES,),
    "services deregister": (FILES,), "validate": (FILES,), "snapshot save": (FILES, ""),
    "snapshot restore": (FILES, ""), "snapshot inspect": (FILES, ""), "snapshot decode": (FILES, ""),
}  # fmt: skip


class Answer:
    """`items` are whole words; `paths`: whether the shell offers files or folders: FILES, FOLDERS or ""."""

    __slots__ = ("items", "paths", "prefix")

    def __init__(self, items: Sequence[Item] = (), paths: str = "", prefix: str = "") -> None:
        self.items = list(items)
        self.paths = paths
        #: The part of the current word before the path: `-config-file=`.
        self.prefix = prefix


def complete(words: Sequence[str], current: str, live: Live) -> Answer:
    """Return the candidates for `current`, after `words` (without the program's name)."""
    if words and words[0] == "agent":
        from pyconsul.cli.commands.agent.run import agent_options

        return _command("agent", agent_options(), words[1:], current, live)
    name, rest = find(words)
    if name in COMMANDS:
        if not rest and not current.startswith("-") and (below := _next_words(name, current)):
            return Answer(below)
        return _command(name, load(name).flags, rest, current, live)
    return Answer() if rest else Answer(_next_words(name, current))


def _next_words(group: str, current: str) -> list[Item]:
    known = {**GROUPS, **{name: about for name, (_, about) in COMMANDS.items()}, "agent": AGENT}
    below = {name: about for name, about in known.items() if name.rpartition(" ")[0] == group}
    return [
        (name.rpartition(" ")[2], about) for name, about in sorted(below.items()) if _last(name).startswith(current)
    ]


def _last(name: str) -> str:
    return name.rpartition(" ")[2]


def _command(name: str, flags: Sequence[Option[Any]], words: Sequence[str], current: str, live: Live) -> Answer:
    by_name = {name: flag for flag in flags for name in flag.flags}
    position, waiting, over = _walk(by_name, words)
    if waiting is not None:
        return _flag_value(name, waiting, "", current, live, words)
    if not over and not position and current.startswith("-"):
        word, equals, value = current.lstrip("-").partition("=")
        flag = by_name.get(word)
        if equals:
            return _flag_value(name, flag, current[: -len(value) or None], value, live, words) if flag else Answer()
        return Answer(_flag_names(flags, word))
    kinds = _ARGUMENTS.get(name, ("",))
    return _named(kinds[min(position, len(kinds) - 1)], "", current, live, words)


def _walk(by_name: dict[str, Option[Any]], words: Sequence[str]) -> tuple[int, Option[Any] | None, bool]:
    """Return the number of arguments, the flag that still needs a value, and whether the flags have ended."""
    position = 0
    while position < len(words) and len(words[position]) > 1 and words[position][0] == "-":
        word = words[position]
        position += 1
        if word == "--":
            return len(words) - position, None, True
        name, equals, _ = word.lstrip("-").partition("=")
        flag = by_name.get(name)
        if flag is not None and not equals and not flag.kind.is_switch:
            if position == len(words):
                return 0, flag, False
            position += 1
    return len(words) - position, None, position < len(words)


def _flag_names(flags: Sequence[Option[Any]], beginning: str) -> list[Item]:
    shown = [(name, flag) for flag in flags if not flag.hidden for name in flag.flags if name.startswith(beginning)]
    return [
        (f"-{name}" if flag.kind.is_switch else f"-{name}=", flag.help)
        for name, flag in sorted(shown, key=lambda row: row[0])
    ]


def _flag_value(
    command: str, flag: Option[Any], before: str, beginning: str, live: Live, words: Sequence[str]
) -> Answer:
    choices = ("true", "false") if flag.kind.is_switch else flag.choices
    if (command, flag.name) == ("watch", "type"):
        choices = WATCH_TYPES
    if choices:
        return Answer([(before + choice, "") for choice in choices if choice.startswith(beginning)])
    kind = _OWN_FLAG_VALUES.get((command, flag.name)) or _FLAG_VALUES.get(flag.name, "")
    return _named(kind or (FILES if flag.metavar == "path" else ""), before, beginning, live, words)


def _named(kind: str, before: str, beginning: str, live: Live, words: Sequence[str]) -> Answer:
    if kind in (FILES, FOLDERS):
        return Answer(paths=kind, prefix=before)
    names = live(kind, beginning, words) if kind else []
    return Answer([(before + name, "") for name in names if name.startswith(beginning)])
