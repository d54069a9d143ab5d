"""The commands as click sees them: for help, never for running one.

Everything is made from the declarations in `registry` and in each `Command`; nothing is written down twice.
"""

from __future__ import annotations

from typing import Any

import click

from pyconsul.agent.common.options import Option
from pyconsul.cli.help.command import Command
from pyconsul.cli.help.registry import AGENT, COMMANDS, GROUPS, load
from pyconsul.cli.http.flags import HTTP_FLAGS

_PROGRAM = "pyconsul"
_SHARED = frozenset(flag.name for flag in HTTP_FLAGS)
_ABOUT = "A drop-in Consul: `pyconsul agent -dev` runs an agent, the other commands ask one."


class FlagOption(click.Option):
    """A flag, shown as Consul writes it: `-name=<value>`."""

    def __init__(self, flag: Option[Any]) -> None:
        super().__init__(
            [f"-{flag.name}", flag.name.replace("-", "_")],
            type=click.Choice(flag.choices) if flag.choices else click.STRING,
            is_flag=flag.kind.is_switch,
            multiple=flag.kind.join is not None,
            help=flag.help,
            hidden=flag.hidden,
        )
        self.flag = flag
        self.shared = flag.name in _SHARED

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The two columns of the help."""
        if self.hidden:
            return None
        metavar = "|".join(self.flag.choices) or f"<{self.flag.metavar}>"
        name = f"-{self.flag.name}" if self.flag.kind.is_switch else f"-{self.flag.name}={metavar}"
        return name, self.flag.help + default_note(self.flag)


def default_note(flag: Option[Any]) -> str:
    """` The default is …`, unless there is none to speak of."""
    if flag.default in (None, "", False, 0, [], {}) or "default" in flag.help:
        return ""
    shown = "true" if flag.default is True else flag.default
    return f" The default is {shown}."


class Leaf(click.Command):
    """A command; its HTTP flags are listed apart."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """`Usage: pyconsul kv get [options] KEY`."""
        formatter.write_usage(ctx.command_path, f"[options] {self.options_metavar or ''}".rstrip())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Two lists: the command's own, and those every command has."""
        options = [param for param in self.params if isinstance(param, FlagOption)]
        for title, shared in (("Command Options", False), ("HTTP API Options", True)):
            records = [option.get_help_record(ctx) for option in options if option.shared is shared]
            rows = [record for record in records if record]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=26)


class Tree(click.Group):
    """A group; its commands are imported when they are looked at."""

    def __init__(self, path: str) -> None:
        summary = GROUPS.get(path, _ABOUT)
        super().__init__(path.rpartition(" ")[2] or _PROGRAM, help=summary, short_help=summary, add_help_option=False)
        self.path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The next words."""
        names = {name for name in (*COMMANDS, *GROUPS) if name.rpartition(" ")[0] == self.path}
        last = {name.rpartition(" ")[2] for name in names}
        return sorted(last | {"agent"} if not self.path else last)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A group or a command below this one."""
        return node(f"{self.path} {cmd_name}".lstrip())

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """`Usage: pyconsul kv <subcommand> [options] [args]`."""
        formatter.write_usage(ctx.command_path, "<subcommand> [options] [args]")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        rows = [(word, summary(f"{self.path} {word}".lstrip())) for word in self.list_commands(ctx)]
        with formatter.section("Available commands"):
            formatter.write_dl(rows)


def summary(name: str) -> str:
    """The one line of a command or a group."""
    if name == "agent":
        return AGENT
    return GROUPS.get(name) or COMMANDS[name][1]


def node(name: str) -> click.Command | None:
    """A command or a group by its full name, "" being the program; None if there is none."""
    if not name or name in GROUPS:
        return Tree(name)
    if name == "agent":
        from pyconsul.cli.commands.agent.run import command

        return command()
    return leaf(name, load(name)) if name in COMMANDS else None


def leaf(name: str, command: Command) -> click.Command:
    """A command for click."""
    about = f"{COMMANDS[name][1]}.\n\n{command.about}".strip()
    return Leaf(
        name.rpartition(" ")[2],
        params=[FlagOption(flag) for flag in sorted(command.flags, key=lambda flag: flag.name)],
        help=about,
        short_help=COMMANDS[name][1],
        options_metavar=command.usage,
        add_help_option=False,
    )


def help_text(name: str) -> str:
    """The help of a command or a group, as wide as the terminal."""
    found = node(name)
    assert found is not None
    context = click.Context(found, info_name=f"{_PROGRAM} {name}".strip(), max_content_width=110)
    return found.get_help(context)
