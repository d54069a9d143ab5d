"""The rooms of the project and the direction between them: who may import whom, and that every package is shipped."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("agent", "cli", "tools")

PURE = {"model", "state", "acl", "filter", "health", "queries", "sync", "dnsd", "config"}
# What each room of the agent may import of the others; a room may always import itself.
ALLOWED: dict[str, set[str]] = {
    "common": set(),
    "model": set(),
    "state": {"model"},
    "filter": {"model"},
    "acl": {"model", "state", "config"},  # rules are HCL, as files are
    "gossip": {"model", "filter"},  # tag filters of queries are regular expressions
    "health": {"model", "filter"},
    "sync": {"model", "state", "health", "config"},
    "dnsd": {"model", "state", "config", "acl", "queries"},
    "config": {"model"},
    "engine": {"model", "state"},
    "httpapi": {"model", "engine", "events", "logs", "snapshot", "telemetry", *PURE},
    "telemetry": set(),
    "watches": {"model"},
    "events": {"model", "state", "filter"},
    "queries": {"model", "state", "filter"},
    "snapshot": {"model", "state", "acl", "filter", "queries"},
    "duties": {"engine", "model", "state", "acl"},
    "logs": set(),
}
# The gossip cores, and which of the others each may import.
GOSSIP_CORES: dict[str, set[str]] = {"wire": set(), "swim": {"wire"}, "serf": {"wire"}, "consul": {"wire", "serf"}}
# Cores that are given time, randomness and answers, and do no IO.
NO_IO = ("state", "filter", "acl", "model", "queries")
IO_MODULES = {"socket", "asyncio", "time", "random", "sqlite3", "subprocess", "threading", "httpx", "os"}
# The commands that run or check an agent are the only ones that may know it; another one reads snapshot files as the agent does.
CLI_MAY_IMPORT_AGENT = {"cli/commands/agent/run.py", "cli/commands/agent/validate.py"}
CLI_MAY_READ_SNAPSHOTS = {"cli/commands/snapshot.py"}
# What agent, commands and tools share; it imports nothing of ours, so that it is cheap for all of them.
COMMON = "pyconsul.agent.common"
# The man page of the configuration is made from the declarations of settings.
READS_DECLARATIONS = {"tools/docs/agentconfig.py"}
# The status pages are served on the same HTTP connections as the agent's API.
HTTP_SERVERS = {"tools/template/status/server.py"}


def sources(folder: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / folder).rglob("*.py")))


def imports(path: Path) -> Iterator[str]:
    """The modules a file imports, under their full names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports hide where things are"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(parts: list[str]) -> str:
    return parts[0].removesuffix(".py") if parts else ""


def is_common(name: str) -> bool:
    return name == COMMON or name.startswith(f"{COMMON}.")


@pytest.mark.parametrize("path", list(sources("agent")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_agent_s_arrows(path: Path) -> None:
    own = room(list(path.relative_to(ROOT / "agent").parts))
    for name in imports(path):
        if not name.startswith("pyconsul."):
            continue
        assert name.startswith("pyconsul.agent"), f"{path}: the agent imports {name}"
        target = room(name.split(".")[2:])
        if own in ALLOWED and target and target not in (own, "common"):
            assert target in ALLOWED[own], f"{path.relative_to(ROOT)} ({own}) imports {name}"
        assert target != "runtime" or own == "runtime", f"{path}: only the program's start may know the runtime"


@pytest.mark.parametrize("folder", NO_IO)
def test_pure_rooms_do_no_io(folder: str) -> None:
    for path in sources(f"agent/{folder}"):
        found = {name.split(".")[0] for name in imports(path)} & IO_MODULES
        assert not found, f"{path.relative_to(ROOT)} imports {', '.join(sorted(found))}"


@pytest.mark.parametrize("core", sorted(GOSSIP_CORES))
def test_gossip_cores_are_pure_and_point_one_way(core: str) -> None:
    for path in sources(f"agent/gossip/{core}"):
        names = set(imports(path))
        assert not {name.split(".")[0] for name in names} & IO_MODULES, f"{path.relative_to(ROOT)} does IO"
        prefix = "pyconsul.agent.gossip."
        others = {name.removeprefix(prefix).split(".")[0] for name in names if name.startswith(prefix)} - {core}
        assert others <= GOSSIP_CORES[core], f"{path.relative_to(ROOT)} imports {', '.join(sorted(others))}"


@pytest.mark.parametrize("path", list(sources("cli")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_command_line_knows_neither_agent_nor_tools(path: Path) -> None:
    for name in imports(path):
        assert not name.startswith("pyconsul.tools"), f"{path} imports {name}"
        if name.startswith("pyconsul.agent.snapshot.") and str(path.relative_to(ROOT)) in CLI_MAY_READ_SNAPSHOTS:
            continue
        if str(path.relative_to(ROOT)) not in CLI_MAY_IMPORT_AGENT and not is_common(name):
            assert not name.startswith("pyconsul.agent"), f"{path} imports {name}"


@pytest.mark.parametrize("path", list(sources("tools")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_tools_know_the_agent_only_over_http(path: Path) -> None:
    for name in imports(path):
        if str(path.relative_to(ROOT)) in HTTP_SERVERS and name.startswith("pyconsul.agent.httpapi.server."):
            continue
        if str(path.relative_to(ROOT)) in READS_DECLARATIONS and name.startswith("pyconsul.agent.config."):
            continue
        assert is_common(name) or not name.startswith("pyconsul.agent"), f"{path} imports {name}"


@pytest.mark.parametrize("path", list(sources("agent/httpapi/server")), ids=lambda path: path.name)
def test_the_http_server_knows_its_application_by_contract_only(path: Path) -> None:
    for name in imports(path):
        assert not name.startswith("pyconsul.") or name.startswith("pyconsul.agent.httpapi.server."), f"imports {name}"


def test_every_package_is_listed_for_installation() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        "pyconsul." + ".".join(path.parent.relative_to(ROOT).parts)
        for top in TOPS
        for path in (ROOT / top).rglob("__init__.py")
    }
    folders = {"pyconsul." + ".".join(path.parent.relative_to(ROOT).parts) for top in TOPS for path in sources(top)}
    assert folders == found, "a folder with modules lacks its __init__.py"
    assert sorted(listed) == sorted(found)
