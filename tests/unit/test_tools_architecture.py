"""The rooms of `tools/` and the direction between them, the purity of their cores, and what is imported late and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.import_graph import ROOT, Import, find_cycle, longest_chain, read_graph

GRAPH = read_graph("tools")
TOOLS = "pyconsul.tools"
MAX_DEPTH = 9
MAX_MODULES = 15

GO_LANGUAGE = {"gotemplate", "gotemplate.runtime", "gotemplate.syntax", "gotemplate.text", "gotemplate.functions"}
# What each room may import of the others. A module that stands beside rooms counts to the room it stands in.
ALLOWED: dict[str, set[str]] = {
    "": {"consul", "options"},  # restart_limit
    "options": {"consul", ""},  # the connection that options describe; exit codes
    "consul": set(),
    "process": {"options"},
    "gotemplate": {"gotemplate.syntax", "gotemplate.runtime"},
    "gotemplate.syntax": {"gotemplate"},
    "gotemplate.runtime": {"gotemplate", "gotemplate.syntax", "gotemplate.text"},
    "gotemplate.text": {"gotemplate", "gotemplate.syntax", "gotemplate.runtime"},  # Go's values are written as text
    "gotemplate.functions": {"gotemplate", "gotemplate.syntax", "gotemplate.runtime", "gotemplate.text"},
    "envconsul": {"", "consul", "options", "process", "gotemplate", "gotemplate.runtime"},
    # feed ← {evaluate, report} ← deploy ← {haproxy, dedup, fixture, status} ← template itself
    "template.feed": {"consul", "gotemplate.runtime"},
    "template.evaluate": {"template.feed", *GO_LANGUAGE},
    "template.report": {"template.feed"},
    "template.options": {"options", "pages", "template.evaluate"},
    "template.deploy": {
        "",
        "consul",
        "options",
        "template.feed",
        "template.evaluate",
        "template.report",
    },
    "template.haproxy": {"consul", "template.deploy", "template.report"},
    "template.dedup": {"consul", "template.feed", "template.evaluate", "template.report"},
    "template.fixture": {
        "consul",
        "options",
        "template.feed",
        "template.evaluate",
        "template.report",
        "template.deploy",
    },
    "template.status": {"options", "pages", "template.options", "template.feed", "template.report", "template.deploy"},
    "pages": {"options"},
    "registrator.desired": GO_LANGUAGE,
    "registrator": {"consul", "options", "pages", "process", "registrator.desired"},
}
ALLOWED["template"] = {"", "consul", "options", "process", *(name for name in ALLOWED if name.startswith("template."))}
# The modules of `template/` that its rooms may know: what is known of a template, and how an evaluation is interrupted.
TEMPLATE_CONTRACTS = {f"{TOOLS}.template.spec", f"{TOOLS}.template.interruptible"}

IO_MODULES = {
    "asyncio",
    "fcntl",
    "httpx",
    "logging",
    "os",
    "pathlib",
    "random",
    "signal",
    "socket",
    "subprocess",
    "time",
}
PURE = ("template/evaluate", "gotemplate", "registrator/desired")
IMPURE = {
    "template/evaluate/functions.py": {"pathlib"},  # whether a path is inside of the sandbox
    "template/evaluate/item_evaluators.py": {"os", "pathlib"},  # paths as texts
    "registrator/desired/containers.py": {"signal"},  # names of signals
    "gotemplate/functions/real_surroundings.py": {"fcntl", "os", "pathlib", "socket", "subprocess"},
}

_START = "the start of a program loads only what its command line needs"
_KIND = "only runs that use it load it"
_HEAVY = "takes milliseconds to load, and few runs need it"
LATE: dict[str, str] = {
    "consul.retry": _HEAVY,
    "docs.files": _KIND,
    "envconsul.main": _START,
    "envconsul.name_formats": "Go's template language is for names with templates only",
    "gotemplate.functions.formats": _KIND,
    "gotemplate.functions.helpers": _KIND,
    "gotemplate.runtime.signature": _HEAVY,
    "gotemplate.text.regex": _HEAVY,
    "options.child": _START,
    "options.connection": _START,
    "options.hcl_file": _HEAVY,
    "process.log_setup": _HEAVY,
    "process.logs": _KIND,
    "process.signals": "one-shot runs need no event loop",
    "registrator.desired.go_functions": _HEAVY,
    "registrator.desired.templates": "each of the two template languages is loaded for templates in it",
    "registrator.options": _START,
    "registrator.pages": "prometheus-client is for runs whose metrics are read",
    "restart_limit": _KIND,
    "template.deploy.check_program": "a one-shot run without checks needs no event loop",
    "template.deploy.deployer": "the planner of checks is for templates with checks",
    "template.deploy.file_writer": _KIND,
    "template.evaluate.evaluator": "each of the two template languages is loaded for templates in it",
    "template.evaluate.field_safety.formats": _HEAVY,
    "template.evaluate.go_template": _KIND,
    "template.evaluate.jinja_filters": _HEAVY,
    "template.evaluate.yaml_alias_limit": _HEAVY,
    "template.feed.connection_budget": "not there on every system",
    "template.fixture.case_command": _START,
    "template.main": _START,
    "template.plan": _KIND,
    "template.report.masking": _HEAVY,
    "template.status.pages": "prometheus-client is for runs whose metrics are read",
}


def room(module: str) -> str:
    """Return the folder of a module below `tools/`; a deeper folder counts to the first room with a rule."""
    parts = module.removeprefix(TOOLS).strip(".").split(".")
    folders = parts if ROOT.joinpath("tools", *parts).is_dir() else parts[:-1]
    return next(
        (".".join(folders[:end]) for end in range(len(folders), 0, -1) if ".".join(folders[:end]) in ALLOWED), ""
    )


def ours() -> Iterator[tuple[str, Import]]:
    """Yield all imports of modules of the tools by others, but those of the generator of documents and of the programs."""
    for name, imported in GRAPH.items():
        if not name.startswith(f"{TOOLS}.docs"):
            yield from ((name, one) for one in imported if one.target.startswith(f"{TOOLS}."))


def test_arrows_between_rooms() -> None:
    wrong = [
        f"{name} ({room(name)}) imports {one.target} ({room(one.target)})"
        for name, one in ours()
        if room(name) != room(one.target)
        and one.target not in TEMPLATE_CONTRACTS
        and room(one.target) not in ALLOWED[room(name)]
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_assembly_of_a_run_knows_the_rooms_beside_the_stages() -> None:
    beside = ("haproxy", "dedup", "fixture", "status")
    top = {f"{TOOLS}.template.{name}" for name in ("assembly", "lifecycle", "main", "plan")}
    for name, one in ours():
        if one.target.startswith(tuple(f"{TOOLS}.template.{other}." for other in beside)):
            assert name in top or name.split(".")[3] == one.target.split(".")[3], f"{name} imports {one.target}"


def test_the_template_language_knows_nothing_of_the_tools() -> None:
    for name, one in ours():
        if name.startswith(f"{TOOLS}.gotemplate"):
            assert one.target.startswith(f"{TOOLS}.gotemplate"), f"{name} imports {one.target}"


@pytest.mark.parametrize("folder", PURE)
def test_cores_do_no_io(folder: str) -> None:
    for path in sorted((ROOT / "tools" / folder).rglob("*.py")):
        name = str(path.relative_to(ROOT / "tools"))
        module = f"{TOOLS}." + name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        found = {one.target.split(".")[0] for one in GRAPH[module] if not one.for_types} & IO_MODULES
        assert found == IMPURE.get(name, set()), f"{name} imports {', '.join(sorted(found)) or 'nothing of the kind'}"


def test_there_is_no_import_cycle() -> None:
    assert not find_cycle(GRAPH)


@pytest.mark.parametrize("language", [True, False], ids=["the template language", "the tools above it"])
def test_imports_are_at_most_nine_levels_deep(language: bool) -> None:
    def counts(name: str) -> bool:
        return name.startswith(f"{TOOLS}.gotemplate") is language and not name.startswith(f"{TOOLS}.docs")

    chain = longest_chain(GRAPH, counts)
    assert len(chain) <= MAX_DEPTH, " → ".join(chain)


def test_function_level_imports_have_a_reason() -> None:
    late = {name for name, imported in GRAPH.items() if any(one.in_function for one in imported)}
    assert {name.removeprefix(f"{TOOLS}.") for name in late} == set(LATE)


def folders() -> list[Path]:
    return sorted({path.parent for path in (ROOT / "tools").rglob("*.py")})


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_holds_few_modules(folder: Path) -> None:
    modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MAX_MODULES
