"""The table of commands is complete, and help can be made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyconsul.cli.help.help_text import commands_below, help_text
from pyconsul.cli.help.registry import COMMANDS, GROUPS, find, load

FOLDER = Path(__file__).resolve().parents[4] / "cli" / "commands"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_has_help(name: str) -> None:
    command = load(name)
    names = [flag.name for flag in command.flags]
    assert len(names) == len(set(names))
    text = help_text(name)
    assert text.startswith(f"Usage: pyconsul {name}")
    for flag in command.flags:
        assert flag.hidden or f"-{flag.name}" in text
        assert flag.hidden or flag.help


@pytest.mark.parametrize("name", ["", *GROUPS])
def test_every_group_lists_its_commands(name: str) -> None:
    text = help_text(name)
    below = {path.rpartition(" ")[2] for path in (*COMMANDS, *GROUPS) if path.rpartition(" ")[0] == name}
    assert below
    for word in below:
        assert f"\n  {word}" in text


def test_no_command_s_module_is_forgotten() -> None:
    listed = {module for module, _ in COMMANDS.values()} | {"agent.run"}
    found = {path.relative_to(FOLDER).with_suffix("") for path in FOLDER.rglob("*.py") if path.stem != "__init__"}
    assert {".".join(path.parts) for path in found} == listed


def test_every_group_of_a_command_is_one() -> None:
    for name in COMMANDS:
        group = name.rpartition(" ")[0]
        assert not group or group in GROUPS or group in COMMANDS


@pytest.mark.parametrize(
    ("words", "name", "rest"),
    [
        (["kv", "get", "-x", "a"], "kv get", ["-x", "a"]),
        (["kv"], "kv", []),
        (["kv", "nothing", "get"], "kv", ["nothing", "get"]),
        (["acl", "token", "read", "read"], "acl token read", ["read"]),
        (["registrator", "drain", "web"], "registrator drain", ["web"]),
        (["registrator", "-ip", "drain"], "registrator", ["-ip", "drain"]),
        (["nothing"], "", ["nothing"]),
        ([], "", []),
        (["-h"], "", ["-h"]),
    ],
)
def test_find(words: list[str], name: str, rest: list[str]) -> None:
    assert find(words) == (name, rest)


def test_every_command_can_be_reached_from_the_top() -> None:
    reached, groups = set(), [""]
    while groups:
        group = groups.pop()
        names = [f"{group} {word}".lstrip() for word, _ in commands_below(group)]
        groups += names
        reached.update(names)
    assert reached == {"agent", *COMMANDS, *GROUPS}
