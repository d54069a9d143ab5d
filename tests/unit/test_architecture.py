"""The rooms of the project: which imports which, their size, cycles, purity, and that every package is shipped.

The rules are tables in `support/architecture.py`, each exception with its reason.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from support.architecture import (
    ALLOWED,
    ASSIGNABLE,
    ASSIGNABLE_ELSEWHERE,
    CHOOSES_ENGINE,
    CLI_ALLOWED,
    CLI_COMMANDS_ALLOWED,
    CLI_CONTRACTS,
    CLI_MAY_IMPORT_AGENT,
    CLI_MAY_IMPORT_TOOLS,
    CLI_MAY_READ_SNAPSHOTS,
    COMMON,
    CYCLES,
    DOES_IO,
    ENGINES,
    GOSSIP_CONTRACT,
    GOSSIP_CORES,
    HTTP_LAYERS,
    HTTP_SERVERS,
    IO_MODULES,
    LARGE_FOLDERS,
    LAZY_IMPORTERS,
    LAZY_LIBRARIES,
    MAX_MODULES,
    MODULES_OF,
    NO_IO,
    NOT_IMPORTED,
    PROGRAM,
    READS_DECLARATIONS,
    STATE_CORE,
)

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("agent", "cli", "tools")


def sources(folder: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / folder).rglob("*.py")))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    """Yield the modules a file imports, under their full names."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports hide where things are"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def modules() -> dict[str, Path]:
    """Return every module of the project by its full name."""
    return {
        "pyconsul." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for top in TOPS
        for path in sources(top)
    }


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes below one, without those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if not is_for_types(child):
            yield child
            yield from run_nodes(child)


def imported(node: ast.AST) -> list[str]:
    """Return the modules that one statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        whole = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in modules() else node.module for name in whole]
    return []


def own_imports(path: Path) -> Iterator[str]:
    """Yield the modules of the project that a module imports, at its top or in functions."""
    for node in run_nodes(parsed(path)):
        yield from (name for name in imported(node) if name in modules())


def imports_of_functions(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in run_nodes(node):
                yield from imported(inner)


def cycle(graph: dict[str, set[str]], start: str) -> list[str]:
    """Return one cycle that can be reached from a module, of a graph in which every module leads to one."""
    way = [start]
    while (following := min(graph[way[-1]] & graph.keys())) not in way:
        way.append(following)
    return way[way.index(following) :]


def assigned_attributes(path: Path) -> Iterator[ast.Attribute]:
    for node in ast.walk(parsed(path)):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            yield from (part for part in parts if isinstance(part, ast.Attribute))


def lies_in(path: Path, places: Iterable[str]) -> bool:
    """Return whether a file is one of the places, or lies in one."""
    return any(path.is_relative_to(place) for place in places)


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
        if not lies_in(path.relative_to(ROOT / "agent"), DOES_IO):
            found = {name.split(".")[0] for name in imports(path)} & IO_MODULES
            assert not found, f"{path.relative_to(ROOT)} imports {', '.join(sorted(found))}"


def test_every_room_of_the_agent_has_its_arrows() -> None:
    rooms = {path.parent.name for path in (ROOT / "agent").glob("*/__init__.py")}
    assert rooms == {*ALLOWED, "runtime"}
    assert {path.name for path in (ROOT / "agent").glob("*.py")} == {"__init__.py"}, "a loose module"


@pytest.mark.parametrize("top", TOPS)
def test_folders_are_small(top: str) -> None:
    folders = {path.parent for path in sources(top)}
    large = {
        str(folder.relative_to(ROOT))
        for folder in folders
        if len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) > MAX_MODULES
    }
    assert not large - LARGE_FOLDERS.keys(), f"more than {MAX_MODULES} modules: {sorted(large)}"


def test_there_is_no_import_cycle() -> None:
    graph = {name: set(own_imports(path)) - {name} for name, path in modules().items()}
    left = dict(graph)
    while leaves := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in leaves:
            del left[name]
    # What is left lies on cycles or leads to them.
    cycles = {frozenset(cycle(left, name)) for name in left}
    known = {frozenset(f"pyconsul.{name}" for name in names) for names in CYCLES}
    found = [sorted(names) for names in cycles if names not in known]
    assert not found, f"import cycles: {found}"


@pytest.mark.parametrize("top", TOPS)
def test_functions_import_only_what_costs_time(top: str) -> None:
    own = modules()
    for path in sources(top):
        for name in imports_of_functions(path):
            library = name.split(".")[0]
            place = f"a function of {path.relative_to(ROOT)} imports {name}"
            if library == "pyconsul":
                assert lies_in(path.relative_to(ROOT), LAZY_IMPORTERS) or name not in own, place
            else:
                assert library in LAZY_LIBRARIES, place


@pytest.mark.parametrize("path", list(sources("agent")), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_assigned_from_outside(path: Path) -> None:
    allowed = ASSIGNABLE.get(room(list(path.relative_to(ROOT / "agent").parts)), {})
    for target in assigned_attributes(path):
        owner = ast.unparse(target.value)
        assert owner in ("self", "cls") or owner in allowed, f"{path}:{target.lineno}: {ast.unparse(target)} = …"


@pytest.mark.parametrize("path", [*sources("cli"), *sources("tools")], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_assigned_from_outside_elsewhere(path: Path) -> None:
    allowed = ASSIGNABLE_ELSEWHERE.get(str(path.relative_to(ROOT)), {})
    for target in assigned_attributes(path):
        owner = ast.unparse(target.value)
        assert owner in ("self", "cls") or owner in allowed, f"{path}:{target.lineno}: {ast.unparse(target)} = …"


@pytest.mark.parametrize("core", sorted(GOSSIP_CORES))
def test_gossip_cores_are_pure_and_point_one_way(core: str) -> None:
    for path in sources(f"agent/gossip/{core}"):
        names = set(imports(path))
        assert not {name.split(".")[0] for name in names} & IO_MODULES, f"{path.relative_to(ROOT)} does IO"
        prefix = "pyconsul.agent.gossip."
        others = {name.removeprefix(prefix).split(".")[0] for name in names if name.startswith(prefix)} - {core}
        assert others <= GOSSIP_CORES[core], f"{path.relative_to(ROOT)} imports {', '.join(sorted(others))}"


def test_other_rooms_know_gossip_by_its_contract() -> None:
    prefix = "pyconsul.agent.gossip."
    for path in sources("agent"):
        if room(list(path.relative_to(ROOT / "agent").parts)) not in ("gossip", "runtime"):
            for name in imports(path):
                known = any(f"{contract}.".startswith(f"{name.removeprefix(prefix)}.") for contract in GOSSIP_CONTRACT)
                known |= name.removeprefix(prefix).startswith(tuple(f"{one}." for one in GOSSIP_CONTRACT))
                assert not name.startswith(prefix) or known, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "agent/gossip").glob("*.py")), ids=lambda path: path.name)
def test_only_the_driver_of_gossip_does_io(path: Path) -> None:
    names = set(imports(path))
    found = {name.split(".")[0] for name in names} & IO_MODULES
    found |= {name for name in names if name.startswith("pyconsul.agent.gossip.driver")}
    assert not found, f"{path.name} imports {', '.join(sorted(found))}"


@pytest.mark.parametrize("path", list(sources("cli")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_command_line_knows_neither_agent_nor_tools(path: Path) -> None:
    for name in imports(path):
        if str(path.relative_to(ROOT)) not in CLI_MAY_IMPORT_TOOLS:
            assert not name.startswith("pyconsul.tools"), f"{path} imports {name}"
        if name.startswith("pyconsul.agent.snapshot.") and str(path.relative_to(ROOT)) in CLI_MAY_READ_SNAPSHOTS:
            continue
        if str(path.relative_to(ROOT)) not in CLI_MAY_IMPORT_AGENT and not is_common(name):
            assert not name.startswith("pyconsul.agent"), f"{path} imports {name}"


@pytest.mark.parametrize("path", list(sources("cli")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_command_line_s_arrows(path: Path) -> None:
    folder = ".".join(path.relative_to(ROOT / "cli").parts[:-1])
    for name in own_imports(path):
        if not name.startswith("pyconsul.cli."):
            continue
        assert name != "pyconsul.cli.main" or path.is_relative_to(ROOT / PROGRAM), (
            f"{path}: only the start may know main"
        )
        target = ".".join(modules()[name].relative_to(ROOT / "cli").parts[:-1])
        if not folder:  # main, context, …
            assert path.name == "main.py" or not target or name in CLI_CONTRACTS, f"{path} imports {name}"
        elif target not in ("", folder):
            allowed = CLI_COMMANDS_ALLOWED if folder.startswith("commands") else CLI_ALLOWED[folder]
            assert target in allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_every_folder_of_the_command_line_has_its_arrows() -> None:
    folders = {path.parent.name for path in (ROOT / "cli").glob("*/__init__.py")}
    assert folders == {*CLI_ALLOWED, "commands", PROGRAM.name}
    assert folders - {"commands", "completion", PROGRAM.name} == CLI_COMMANDS_ALLOWED


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


def package_of(path: Path) -> str:
    """Return the package that a file is installed in."""
    folder = path.parent.relative_to(ROOT)
    return "pyconsul" if folder == PROGRAM else "pyconsul." + ".".join(folder.parts)


def test_every_package_is_listed_for_installation() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {package_of(path) for top in TOPS for path in (ROOT / top).rglob("__init__.py")}
    folders = {package_of(path) for top in TOPS for path in sources(top)}
    assert folders == found, "a folder with modules lacks its __init__.py"
    assert sorted(listed) == sorted(found)


def test_every_declared_dependency_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[^\w-]", text)[0] for text in project["dependencies"]}
    libraries = {name.split(".")[0] for top in TOPS for path in sources(top) for name in imports(path)}
    unused = {name for name in declared if MODULES_OF.get(name, name) not in libraries}
    assert unused == NOT_IMPORTED.keys()


def test_only_the_modes_of_the_agent_know_which_engine_there_is() -> None:
    for path in sources("agent"):
        name = str(path.relative_to(ROOT))
        found = [module for module in imports(path) if module.startswith(ENGINES)]
        if not name.startswith("agent/engine/") and name not in CHOOSES_ENGINE:
            assert not found, f"{name} imports {found[0]}"
        if name.startswith("agent/engine/") and name.count("/") == 2 and name != "agent/engine/memory.py":
            assert not found, f"{name} serves all engines, and imports {found[0]}"


def test_the_core_of_the_state_knows_no_nouns() -> None:
    allowed = {f"pyconsul.agent.state.{name}" for name in STATE_CORE} | {"pyconsul.agent.state.acl.tables"}
    for core in STATE_CORE:
        for name in own_imports(ROOT / "agent" / "state" / f"{core}.py"):
            if name.startswith("pyconsul.agent.state"):
                assert name in allowed, f"state/{core}.py imports {name}"


HTTPAPI = "pyconsul.agent.httpapi."


@pytest.mark.parametrize("path", list(sources("agent/httpapi")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_http_api_s_layers(path: Path) -> None:
    own = room(list(path.relative_to(ROOT / "agent/httpapi").parts))
    for name in imports(path):
        layer = name.removeprefix(HTTPAPI)
        if own != "__init__" and name.startswith(HTTPAPI) and layer.split(".")[0] != own:
            assert any(f"{layer}.".startswith(f"{allowed}.") for allowed in HTTP_LAYERS[own]) or any(
                allowed.startswith(f"{layer}.") for allowed in HTTP_LAYERS[own]
            ), f"{path.relative_to(ROOT)} ({own}) imports {name}"


def test_the_dns_formats_know_nothing_of_answers() -> None:
    for path in sources("agent/dnsd/wire"):
        for name in imports(path):
            inside = name.removeprefix("pyconsul.agent.dnsd.").split(".")[0]
            assert not name.startswith("pyconsul.") or inside in ("wire", "settings"), f"{path.name} imports {name}"


def test_no_handler_routes_requests_itself() -> None:
    """Routes map methods to handlers: only the rule of a body, which holds for the whole route, looks at the method."""
    for path in sources("agent/httpapi/handlers"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "body_rule":
                looks = [one for one in ast.walk(node) if isinstance(one, ast.Attribute) and one.attr == "method"]
                assert not any(ast.unparse(one) == "request.method" for one in looks), f"{path.name}: {node.name}"


def test_every_handler_module_exports_its_routes() -> None:
    listed = (ROOT / "agent/httpapi/routes.py").read_text()
    for path in sources("agent/httpapi/handlers"):
        if "\nROUTES = (" in path.read_text():
            module = ".".join(path.relative_to(ROOT / "agent/httpapi/handlers").with_suffix("").parts)
            assert f"*{module.replace('.', '_')}.ROUTES" in listed, f"{path.name} has routes that are not served"
        else:
            assert "Route(" not in path.read_text(), path.name


def test_no_unit_test_sleeps() -> None:
    for path in sources("tests/unit"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in ("time.sleep", "asyncio.sleep"), (
                    f"{path.relative_to(ROOT)}:{node.lineno}"
                )
