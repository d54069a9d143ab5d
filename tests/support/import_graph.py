"""Which module of the project imports which, for the tests of the architecture."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Import:
    """`target`: the full name of a module. `in_function`: made by a function when it is called. `for_types`: below
    `if TYPE_CHECKING`, so that nothing is loaded."""

    target: str
    in_function: bool
    for_types: bool


Graph = Mapping[str, Iterable[Import]]


def module_name(path: Path) -> str:
    """Return the full name of a module; a package's `__init__` counts as the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("pyconsul", *parts)).removesuffix(".__init__")


def read_graph(folder: str) -> dict[str, list[Import]]:
    """Return the imports of all modules below a folder of the project; those of other projects included."""
    return {module_name(path): list(_imports(path)) for path in sorted((ROOT / folder).rglob("*.py"))}


def _imports(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text())
    typing = {id(node) for branch in ast.walk(tree) if _is_type_checking(branch) for node in ast.walk(branch)}
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    called = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = list({_module(node.module, alias.name) for alias in node.names})
        else:
            continue
        yield from (Import(name, id(node) in called, id(node) in typing) for name in names)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _module(module: str, name: str) -> str:
    """`from package import module` imports the module, `from module import name` does not."""
    inner = ROOT.joinpath(*module.split(".")[1:], name)
    ours = module.startswith("pyconsul.")
    return f"{module}.{name}" if ours and (inner.with_suffix(".py").exists() or inner.is_dir()) else module


def find_cycle(graph: Graph) -> list[str]:
    """Modules that import each other in a circle, in functions or for types too; empty when there are none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for one in graph[name]:
            if one.target in graph and (found := visit(one.target, [*path, name])):
                return found
        done.add(name)
        return []

    return next((found for name in graph if (found := visit(name, []))), [])


def longest_chain(graph: Graph, counts: Callable[[str], bool]) -> list[str]:
    """Return the longest chain of imports that are made at run time, among the modules that count."""
    longest: dict[str, list[str]] = {}

    def chain(name: str) -> list[str]:
        if name not in longest:
            targets = [one.target for one in graph[name] if not one.for_types]
            chains = [chain(target) for target in targets if target in graph and counts(target)]
            longest[name] = [name, *max(chains, key=len, default=[])]
        return longest[name]

    return max((chain(name) for name in graph if counts(name)), key=len)
