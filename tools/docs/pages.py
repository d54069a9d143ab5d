"""Which man pages there are, and what is in them: everything from the tables that the programs themselves go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pyconsul.agent.common.option_help import option_text
from pyconsul.agent.common.options import Option
from pyconsul.cli.commands.agent import run
from pyconsul.cli.help.registry import AGENT, COMMANDS, GROUPS, load
from pyconsul.cli.http.flags import HTTP_FLAGS
from pyconsul.tools.docs import agentconfig, program_sections, templatefunctions
from pyconsul.tools.docs.roff import Entry, Page, Section
from pyconsul.tools.envconsul.options import DOCUMENTED as ENVCONSUL
from pyconsul.tools.template.options.table import DOCUMENTED as TEMPLATE

PROGRAM = "pyconsul"
_SHARED = frozenset(flag.name for flag in HTTP_FLAGS)

#: program: (options, one line, the words after its name, what it does)
TOOLS: dict[str, tuple[Sequence[Option[Any]], str, str, str]] = {
    "pyconsul-template": (
        TEMPLATE,
        "render templates from Consul data whenever it changes",
        "[options]",
        "Render templates with services, nodes and keys from Consul, again whenever these change. A template named "
        ".ctmpl is written in consul-template's language, any other in Jinja2's.",
    ),
    "pyenvconsul": (
        ENVCONSUL,
        "run a program with environment variables from Consul",
        "[options] program [argument ...]",
        "Run a program with environment variables from Consul's KV store and catalog, and restart it when they change.",
    ),
}

_OWN_SECTIONS = {
    "pyconsul-template": program_sections.template_sections,
    "pyenvconsul": program_sections.envconsul_sections,
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
    """Return the name of a command's page: `kv get` is described in pyconsul-kv-get(1)."""
    return f"{PROGRAM} {command}".strip().replace(" ", "-")


def _program() -> Page:
    entries = [
        (f"{PROGRAM} agent", f"{AGENT}."),
        *((f"{PROGRAM} {name}", f"{about}.") for name, (_, about) in _sorted()),
    ]
    about = (
        "A drop-in Consul: pyconsul agent runs an agent, the other commands query it. Each command has its own page: "
        "pyconsul-kv-get(1) describes pyconsul kv get."
    )
    return Page(
        PROGRAM,
        "service discovery and configuration: the agent and its command line",
        PROGRAM,
        "command [options] [arguments]",
        [Section("DESCRIPTION", [about]), Section("COMMANDS", entries=entries), *program_sections.cli_sections()],
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
        [
            Section("DESCRIPTION", run.HELP.strip().split("\n\n")),
            Section("OPTIONS", entries=rows),
            *program_sections.agent_sections(),
        ],
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
    """Return the other commands of its group."""
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
            *_OWN_SECTIONS[name](_variables(options)),
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
