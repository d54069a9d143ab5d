"""The entry point of `pyconsul`: finds the command, reads its flags, runs it, and turns errors into exit codes.

A command's module is imported only when the command is called, help and completion only for these: everything before
the request is start-up time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from pyconsul.agent.common.options import HelpRequested, OptionError, parse
from pyconsul.agent.common.program import run_program
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.exit_status import Status, exit_code
from pyconsul.cli.help.registry import COMMANDS, GROUPS, find, load

if TYPE_CHECKING:
    from pyconsul.agent.common.options import Args
    from pyconsul.cli.help.command import Command

_HELP = ("-h", "-help", "--help")
#: Errors of commands that work with an answer whose form is not the agent's.
_UNEXPECTED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_VERSION = ("-v", "-version", "--version")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return run_program("pyconsul", lambda: _dispatch(words))
    except KeyboardInterrupt:
        return int(Status.INTERRUPTED)


def console_main() -> NoReturn:
    """Run `main` as a program."""
    sys.exit(main())


def _dispatch(words: list[str]) -> int:
    if "_PYCONSUL_COMPLETE" in os.environ:
        from pyconsul.cli.completion.answer import main as complete

        return complete(words)
    if words[:1] and words[0] in _VERSION:
        words = ["version", *words[1:]]
    if words[:1] == ["help"]:
        words = [*words[1:], "-h"]
    if words[:1] == ["agent"]:
        from pyconsul.cli.commands.agent.run import main as agent

        return agent(words[1:])
    name, rest = find(words)
    if name in COMMANDS:
        return _run(name, load(name), rest)
    if rest[:1] and rest[0] in _HELP:
        _show(sys.stdout, _help(name))
        return int(Status.OK)
    return _no_command(name, rest)


def _no_command(name: str, rest: list[str]) -> int:
    """Return a group without a command, which shows its commands, or an unknown word."""
    if rest:
        _error(_unknown(f"{name} " if name else "", rest))
    else:
        _show(sys.stderr, _help(name))
    return int(Status.FAILURE if name else Status.UNKNOWN_COMMAND)


def _unknown(prefix: str, rest: list[str]) -> str:
    from pyconsul.agent.common.suggest import did_you_mean
    from pyconsul.cli.help.unsupported import explanation

    if known := explanation(prefix + " ".join(rest)):
        return known
    names = [path[len(prefix) :] for path in ("agent", "help", *COMMANDS, *GROUPS) if path.startswith(prefix)]
    suggestion = did_you_mean(rest[0], names, prefix, lead="Did you mean ")
    return f"unknown command: {prefix}{rest[0]}. `pyconsul {prefix}-h` lists the commands.\n{suggestion}".rstrip()


def _help(name: str) -> str:
    from pyconsul.cli.help.help_text import help_text

    return help_text(name).rstrip()


def _run(name: str, command: Command, rest: list[str]) -> int:
    from pyconsul.cli.context import Context
    from pyconsul.cli.help.command import DETAILED_EXITCODE

    detailed = os.environ.get("PYCONSUL_DETAILED_EXITCODE", "") not in ("", "0", "false")
    context: Context | None = None
    try:
        args = _parse(command, rest)
        detailed = args[DETAILED_EXITCODE] or detailed
        if args.rest and not command.usage and not command.lenient:
            raise UsageError(f"Too many arguments (expected 0, got {len(args.rest)})")
        context = Context(args, os.environ, sys.stdin.buffer, sys.stdout.buffer, sys.stderr.buffer)
        status = command.run(context)
    except HelpRequested:
        _show(sys.stdout, _help(name))
        return int(Status.OK)
    except CliError as error:
        sys.stdout.flush()
        _error(str(error))
        if isinstance(error, UsageError):
            _error(f"See `pyconsul {name} -h`." + _order_hint(command, rest))
            return exit_code(command.usage_status, detailed=detailed)
        return exit_code(error.status, detailed=detailed)
    except _UNEXPECTED as error:
        unexpected = context.unexpected_answer(error) if context else None
        if unexpected is None:
            raise
        sys.stdout.flush()
        _error(str(unexpected))
        return exit_code(unexpected.status, detailed=detailed)
    return exit_code(status or Status.OK, detailed=detailed)


def _parse(command: Command, words: list[str]) -> Args:
    """Return the flags and arguments. Raises UsageError and HelpRequested."""
    try:
        return parse(command.flags, words, anywhere=command.flags_anywhere)
    except OptionError as error:
        raise UsageError(str(error)) from None


def _order_hint(command: Command, words: list[str]) -> str:
    """Return a sentence for `kv get foo -format json`: flags end at the first argument, as in Consul."""
    known = {flag.name for flag in command.flags}
    position = next((at for at, word in enumerate(words) if at and words[at - 1][:1] != "-" and word[:1] == "-"), None)
    for word in words[position:] if position else ():
        if word[:1] == "-" and word.lstrip("-").partition("=")[0] in known:
            return f" Options come first: put {word.partition('=')[0]} before the arguments."
    return ""


def _show(stream: object, text: str) -> None:
    print(text, file=stream)  # type: ignore[call-overload]


def _error(text: str) -> None:
    sys.stderr.buffer.write(text.encode("utf-8", "surrogateescape") + b"\n")
    sys.stderr.flush()


if __name__ == "__main__":
    console_main()
