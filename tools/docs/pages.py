"""Which man pages there are, and what is in them: everything from the tables that the programs themselves go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pyconsul.agent.common.option_help import option_text
from pyconsul.agent.common.options import Option
from pyconsul.cli import exit_status
from pyconsul.cli.commands.agent import run
from pyconsul.cli.help.registry import AGENT, COMMANDS, GROUPS, load
from pyconsul.cli.http.flags import HTTP_FLAGS
from pyconsul.tools.docs import agentconfig, templatefunctions
from pyconsul.tools.docs.roff import Entry, Page, Section
from pyconsul.tools.envconsul.options import DOCUMENTED as ENVCONSUL
from pyconsul.tools.template.options.table import DOCUMENTED as TEMPLATE

PROGRAM = "pyconsul"
_SHARED = frozenset(flag.name for flag in HTTP_FLAGS)

#: program: (options, one line, the words after its name, what it does)
TOOLS: dict[str, tuple[Sequence[Option[Any]], str, str, str]] = {
    "pyconsul-template": (
        TEMPLATE,
        "render templates with what Consul knows, whenever it changes",
        "[options]",
        "Renders templates with services, nodes and keys out of Consul, and again whenever these change. A template "
        "named .ctmpl is written in consul-template's language, any other in Jinja2's.",
    ),
    "pyenvconsul": (
        ENVCONSUL,
        "run a program with environment variables out of Consul",
        "[options] program [argument ...]",
        "Runs a program with environment variables out of Consul's KV store and catalog, and starts it again when "
        "they change.",
    ),
}


def pages() -> Iterator[Page]:
    """Every page."""
    yield _program()
    yield _agent()
    yield agentconfig.page()
    yield templatefunctions.page()
    for name in COMMANDS:
        yield _command(name)
    for name in TOOLS:
        yield _tool(name)


def page_name(command: str) -> str:
    """`kv get` is described in pyconsul-kv-get(1)."""
    return f"{PROGRAM} {command}".strip().replace(" ", "-")


def _program() -> Page:
    entries = [
        (f"{PROGRAM} agent", f"{AGENT}."),
        *((f"{PROGRAM} {name}", f"{about}.") for name, (_, about) in _sorted()),
    ]
    about = (
        "A drop-in Consul: pyconsul agent runs an agent, the other commands ask one. Each command has a page of its "
        "own, named after it: pyconsul-kv-get(1) is about pyconsul kv get."
    )
    codes = [
        (str(int(code)), text)
        for code, text in (
            (exit_status.Status.OK, "What was asked for is done."),
            (exit_status.Status.FAILURE, "It failed; the reason is on standard error."),
            (exit_status.Status.NO_MATCH, "members found no member; lock's child failed with -child-exit-code."),
            (exit_status.Status.NOT_FOUND, "With -detailed-exitcode: what was named does not exist."),
            (exit_status.Status.UNREACHABLE, "With -detailed-exitcode: the agent does not answer."),
            (exit_status.Status.DENIED, "With -detailed-exitcode: the token lacks a permission."),
            (exit_status.Status.CONFLICT, "With -detailed-exitcode: somebody else was first."),
            (exit_status.Status.USAGE, "With -detailed-exitcode: wrong flags or arguments."),
        )
    ]
    return Page(
        PROGRAM,
        "service discovery and configuration: the agent and its command line",
        PROGRAM,
        "command [options] [arguments]",
        [Section("DESCRIPTION", [about]), Section("COMMANDS", entries=entries), Section("EXIT STATUS", entries=codes)],
        [page_name("agent"), *TOOLS],
    )


def _sorted() -> list[tuple[str, tuple[str, str]]]:
    return sorted(COMMANDS.items())


def _agent() -> Page:
    rows = [_option_entry(option) for option in run.agent_options() if not option.hidden]
    return Page(
        page_name("agent"),
        AGENT[0].lower() + AGENT[1:],
        f"{PROGRAM} agent",
        "[options]",
        [Section("DESCRIPTION", run.HELP.strip().split("\n\n")), Section("OPTIONS", entries=rows)],
        [PROGRAM, f"{agentconfig.NAME}(5)"],
    )


def _command(name: str) -> Page:
    command, about = load(name), COMMANDS[name][1]
    flags = sorted((flag for flag in command.flags if not flag.hidden), key=lambda flag: flag.name)
    own = [_option_entry(flag) for flag in flags if flag.name not in _SHARED]
    shared = [_option_entry(flag) for flag in flags if flag.name in _SHARED]
    description = [f"{about}.", *command.about.split("\n\n")] if command.about else [f"{about}."]
    sections = [Section("DESCRIPTION", description), Section("OPTIONS", entries=own)]
    if shared:
        sections.append(Section("HTTP API OPTIONS", entries=shared))
    return Page(
        page_name(name),
        about[0].lower() + about[1:],
        f"{PROGRAM} {name}",
        f"[options] {command.usage}".strip(),
        sections,
        [PROGRAM, *_neighbours(name)],
    )


def _neighbours(name: str) -> list[str]:
    """The other commands of its group."""
    group = name.rpartition(" ")[0]
    found = (other for other in COMMANDS if other != name and other.rpartition(" ")[0] == group)
    return sorted(page_name(other) for other in found) if group in GROUPS else []


def _tool(name: str) -> Page:
    options, about, synopsis, description = TOOLS[name]
    flags = [_option_entry(option) for option in options if option.flags]
    keys = [(option.key, _sentence(option.help)) for option in options if not option.flag_only]
    return Page(
        name,
        about,
        name,
        synopsis,
        [
            Section("DESCRIPTION", [description]),
            Section("OPTIONS", entries=flags),
            Section("CONFIGURATION FILES", ["Files of -config are written in HCL or JSON. Their keys:"], keys),
            Section("ENVIRONMENT", entries=_variables(options)),
        ],
        [PROGRAM, *(other for other in TOOLS if other != name)],
    )


def _variables(options: Iterable[Option[Any]]) -> list[Entry]:
    return sorted(
        (name, _sentence(option.help)) for option in options for name in (*option.environ, *option.consul_environ)
    )


def _option_entry(option: Option[Any]) -> Entry:
    value = "" if option.kind.is_switch else f"={'|'.join(option.choices) or option.metavar}"
    return ", ".join(f"-{flag}{value}" for flag in option.flags), option_text(option)


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
