"""Replays recorded behaviour of Consul, consul-template and envconsul.

The recordings lie beside the project (`../shared/conformance`); where they are absent this is skipped.
`pending.txt` lists those that do not match yet; they run only with `--pending`. The list only shrinks: a recording that
matches must be removed from it.
"""

from __future__ import annotations

import importlib.util
import shlex
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "conformance"
BIN = Path(sys.executable).parent
PENDING = {
    line.strip()
    for line in Path(__file__).with_name("pending.txt").read_text().splitlines()
    if line.strip() and not line.startswith("#")
}
JOBS = 4  # agents at a time; they sleep more than they work

SCENARIOS = sorted((RECORDINGS / "scenarios").rglob("*.yaml"))
CASES = sorted((RECORDINGS / "tools" / "cases").rglob("*.yaml"))

pytestmark = [
    pytest.mark.skipif(not SCENARIOS, reason="the recordings (../shared/conformance) are not here"),
    pytest.mark.timeout(900),
]


def load(path: Path) -> ModuleType:
    """Return a replayer, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name_of(path: Path) -> str:
    return str(path.relative_to(RECORDINGS).with_suffix(""))


def run_scenario(replay: Any, path: Path) -> list[str]:
    """What differs in one scenario."""
    scenario = replay.Scenario(path, [str(BIN / "pyconsul")], False, True)
    passed, total = scenario.run()
    return scenario.failures or ([] if passed == total else [f"{passed} of {total} steps"])


def run_cases(replay: Any, path: Path) -> list[str]:
    """What differs in one file of cases of the tools."""
    document = yaml.safe_load(path.read_text())
    tools = {"consul-template": [str(BIN / "pyconsul-template")], "envconsul": [str(BIN / "pyenvconsul")]}
    agent = replay.Agent(shlex.split(str(BIN / "pyconsul")), document.get("agent") or {}, document.get("token", ""))
    found = []
    try:
        agent.load(document)
        for case in document["cases"]:
            try:
                differences = replay.differences(case.get("expect", {}), replay.run_case(case, agent, tools))
            except Exception as error:  # a case that cannot be run differs, whatever the reason
                differences = [f"{type(error).__name__}: {error}"]
            found += [f"{case['name']}: {line}" for line in differences]
    finally:
        agent.close()
    return found


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Any:
    """The differences of each recording that runs, computed in parallel while the tests below wait for their own."""
    if not SCENARIOS:
        return {}
    tempfile.tempdir = None
    replay, replay_tools = load(RECORDINGS / "replay.py"), load(RECORDINGS / "tools" / "replay_tools.py")
    jobs: list[tuple[Callable[[Any, Path], list[str]], Any, Path]] = [
        *((run_scenario, replay, path) for path in SCENARIOS),
        *((run_cases, replay_tools, path) for path in CASES),
    ]
    pool = ThreadPoolExecutor(JOBS)
    wanted = {item.callspec.id for item in request.session.items if hasattr(item, "callspec")}
    if not request.config.getoption("--pending"):
        wanted -= PENDING
    futures = {name: pool.submit(run, module, path) for run, module, path in jobs if (name := name_of(path)) in wanted}
    yield futures
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("path", [*SCENARIOS, *CASES], ids=name_of)
def test_behaves_as_recorded(path: Path, results: dict[str, Future[list[str]]]) -> None:
    name = name_of(path)
    if name not in results:
        pytest.skip("does not match yet; runs with --pending")
    differences = results[name].result()
    if name in PENDING:
        assert differences, f"{name} matches now: take it out of pending.txt"
        pytest.skip(f"not matched yet: {differences[0][:200]}")
    assert not differences, "\n".join(line[:1000] for line in differences)


def test_the_list_of_what_is_pending_names_only_what_is_there() -> None:
    assert {name_of(path) for path in (*SCENARIOS, *CASES)} >= PENDING
