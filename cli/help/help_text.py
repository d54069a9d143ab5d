"""The help of every command and group, made from the registry and the declared options; nothing is written down twice."""

from __future__ import annotations

from pyconsul.agent.common.option_help import Row, option_rows, render_help
from pyconsul.cli.help.command import Command
from pyconsul.cli.help.registry import AGENT, COMMANDS, GROUPS, load
from pyconsul.cli.http.flags import HTTP_FLAGS

_PROGRAM = "pyconsul"
_SHARED = frozenset(option.name for option in HTTP_FLAGS)
_ABOUT = "A drop-in Consul: `pyconsul agent -dev` runs an agent, the other commands query it."


def help_text(name: str) -> str:
    """Return the help of a command or a group, `""` being the whole program, as wide as the terminal."""
    if name == "agent":
        from pyconsul.cli.commands.agent.run import help_text as agent_help

        return agent_help()
    return _command_help(name, load(name)) if name in COMMANDS else _group_help(name)


def _command_help(name: str, command: Command) -> str:
    options = sorted(command.flags, key=lambda option: option.name)
    lists = [
        ("Command Options", option_rows(option for option in options if option.name not in _SHARED)),
        ("HTTP API Options", option_rows(option for option in options if option.name in _SHARED)),
    ]
    if below := commands_below(name):
        lists.insert(0, ("Subcommands", below))
    about = f"{COMMANDS[name][1]}.\n\n{command.about}".strip()
    return render_help(f"{_PROGRAM} {name} [options] {command.usage}".rstrip(), about, lists)


def _group_help(name: str) -> str:
    usage = f"{_PROGRAM} {name}".rstrip() + " <subcommand> [options] [args]"
    return render_help(usage, GROUPS.get(name, _ABOUT), [("Available commands", commands_below(name))])


def commands_below(group: str) -> list[Row]:
    """Return the next words after a group, each with the line that describes it; no command is imported."""
    names = {name for name in (*COMMANDS, *GROUPS) if name.rpartition(" ")[0] == group}
    rows = [(name.rpartition(" ")[2], GROUPS.get(name) or COMMANDS[name][1]) for name in names]
    return sorted(rows if group else [*rows, ("agent", AGENT)])
