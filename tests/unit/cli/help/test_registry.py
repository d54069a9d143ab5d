"""The table of commands is complete, and help can be made from it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from pyconsul.cli.help import click_tree
from pyconsul.cli.help.registry import COMMANDS, GROUPS, find, load

FOLDER = Path(__file__).resolve().parents[4] / "cli" / "commands"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_has_help(name: str) -> None:
    command = load(name)
    names = [flag.name for flag in command.flags]
    assert len(names) == len(set(names))
    text = click_tree.help_text(name)
    assert text.startswith(f"Usage: pyconsul {name}")
    for flag in command.flags:
        assert flag.hidden or f"-{flag.name}" in text
        assert flag.hidden or flag.help


@pytest.mark.parametrize("name", ["", *GROUPS])
def test_every_group_lists_what_is_below_it(name: str) -> None:
    text = click_tree.help_text(name)
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
        assert not group or group in GROUPS


@pytest.mark.parametrize(
    ("words", "name", "rest"),
    [
        (["kv", "get", "-x", "a"], "kv get", ["-x", "a"]),
        (["kv"], "kv", []),
        (["kv", "nothing", "get"], "kv", ["nothing", "get"]),
        (["acl", "token", "read", "read"], "acl token read", ["read"]),
        (["nothing"], "", ["nothing"]),
        ([], "", []),
        (["-h"], "", ["-h"]),
    ],
)
def test_find(words: list[str], name: str, rest: list[str]) -> None:
    assert find(words) == (name, rest)


def test_the_tree_has_every_command() -> None:
    tree = click_tree.Tree("")
    context = click.Context(tree)
    assert {"agent", "kv", "acl"} <= set(tree.list_commands(context))
    for name in COMMANDS:
        assert click_tree.node(name) is not None
    assert click_tree.node("nothing") is None
