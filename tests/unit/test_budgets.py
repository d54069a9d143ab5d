"""The sizes of files, functions and classes, of the program and of its tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.architecture import MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_METHODS, OVER_BUDGET

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
FILES = [path for top in ("agent", "cli", "tools", "tests") for path in sorted((ROOT / top).rglob("*.py"))]


def is_large(node: ast.AST) -> bool:
    if isinstance(node, FUNCTIONS):
        return (node.end_lineno or 0) - node.lineno + 1 >= MAX_FUNCTION_LINES
    return isinstance(node, ast.ClassDef) and sum(isinstance(it, FUNCTIONS) for it in node.body) >= MAX_METHODS


def over_budget(source: str) -> set[str]:
    """Return the names of what is too large in a file; `*` is the file itself."""
    found = {getattr(node, "name", "") for node in ast.walk(ast.parse(source)) if is_large(node)}
    return found | {"*"} if source.count("\n") >= MAX_FILE_LINES else found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_functions_and_classes_are_small(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    assert over_budget(path.read_text()) <= OVER_BUDGET.get(name, {}).keys()


def test_a_large_file_function_or_class_is_found() -> None:
    function = "def long():\n" + "    pass\n" * (MAX_FUNCTION_LINES - 1)
    methods = "class Large:\n" + "    def a(self): ...\n" * MAX_METHODS
    assert over_budget(function) == {"long"}
    assert over_budget(methods) == {"Large"}
    assert over_budget("pass\n" * MAX_FILE_LINES) == {"*"}
    assert over_budget("pass\n" * (MAX_FILE_LINES - 1)) == set()
