"""Deployments that end after any of their steps: what is on disk, what HAProxy runs, and what the next start makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyconsul.tools.template.deploy import deployment as steps
from pyconsul.tools.template.deploy.contract import CommandError, LoadError
from pyconsul.tools.template.deploy.file_writer import RenderError
from pyconsul.tools.template.deploy.job import FileChange, Job, pending_changes
from pyconsul.tools.template.deploy.rendering import Rendering
from pyconsul.tools.template.deploy.unit import Unit
from pyconsul.tools.template.evaluate.contract import Evaluation
from pyconsul.tools.template.evaluate.guard import Guard
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.spec import Command, Spec

OLD, NEW = b"old", b"new"
RELOAD = Command(("reload",))


class Text:
    """A template whose text is fixed."""

    guard: Guard | None = None

    def __init__(self, text: bytes) -> None:
        self.text = text.decode()

    def evaluate(self, answers: Answers, now: float) -> Evaluation:
        return Evaluation(self.text, frozenset(), frozenset())


class Proxy:
    """HAProxy: it accepts or refuses files, and works with those that it has loaded."""

    def __init__(self, folder: Path, accepts: Callable[[bytes], bool], loads: Callable[[bytes], bool]) -> None:
        self.folder, self.accepts, self.loads = folder, accepts, loads
        self.running = self.files()
        self.checked: set[bytes] = set()

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if not path.name.startswith(".")}

    def load(self) -> LoadError | None:
        files = self.files()
        if not all(self.loads(text) for text in files.values()):
            return LoadError("it does not run with these")
        self.running = files
        return None


class World:
    """Two files of one unit and a third one, all with their old text, which HAProxy runs."""

    def __init__(self, folder: Path, **proxy: Callable[[bytes], bool]) -> None:
        self.folder = folder
        for name in ("a.cfg", "b.cfg", "c.cfg"):
            (folder / name).write_bytes(OLD)
        self.proxy = Proxy(folder, **{"accepts": lambda text: True, "loads": lambda text: True, **proxy})
        self.command: Callable[[], CommandError | None] = lambda: None
        self.unwritable = ""
        self.reports: list[str] = []

    def jobs(self, command: Command | None = None, text: bytes = NEW) -> list[Job]:
        """The steps that a start of the program finds."""
        specs = [Spec(str(self.folder / name), command=command) for name in ("a.cfg", "b.cfg", "c.cfg")]
        renderings = [Rendering(spec, Text(text)) for spec in specs]
        for rendering in renderings:
            rendering.evaluate(Answers(), 0.0)
        units = [Unit(renderings[:2], None, wait=False), Unit(renderings[2:], None, wait=False)]
        return [Job(unit, changes) for unit in units if (changes := pending_changes(unit))]

    def plan(self, jobs: list[Job], once: bool = False) -> Any:
        placed = yield from steps.deployment(jobs, once=once)
        if placed:
            yield from steps.loading(placed, once=once, consumed=True)

    def do(self, step: steps.Step) -> Any:
        match step:
            case steps.WriteDraft(change):
                return self.written(change, change.prepare)
            case steps.Promote(change):
                assert change.data in self.proxy.checked, "what no check has seen must not be put in place"
                return self.written(change, change.promote)
            case steps.Restore(change):
                change.restore()
                return change.promoted
            case steps.CheckJob():
                return ""
            case steps.CheckTogether(jobs):
                texts = {change.data for job in jobs for change in job.changes}
                self.proxy.checked |= {text for text in texts if self.proxy.accepts(text)}
                return "" if texts <= self.proxy.checked else "refused"
            case steps.RunCommand() | steps.RunAgain():
                return self.command()
            case steps.Load() | steps.LoadAgain():
                return self.proxy.load()
            case steps.RolledBack(_, _, reason):
                self.reports.append(type(step).__name__)
                return reason
        self.reports.append(type(step).__name__)
        return None

    def written(self, change: FileChange, work: Callable[[], object]) -> RenderError | None:
        if Path(change.rendering.spec.destination).name == self.unwritable and work == change.promote:
            return RenderError("no space left on device")
        work()
        return None

    def run(self, jobs: list[Job], stop_after: int | None = None, once: bool = False) -> int:
        """Carry out a deployment, or so many of its steps; returns how many there were."""
        plan, result, count = self.plan(jobs, once), None, 0
        while count != stop_after:
            try:
                step = plan.send(result)
            except StopIteration:
                break
            result, count = self.do(step), count + 1
        return count

    def after_kill(self) -> None:
        """The invariants, at whatever step the program is killed."""
        assert set(self.proxy.files()) == {"a.cfg", "b.cfg", "c.cfg"}
        assert all(text in (OLD, NEW) for text in self.proxy.files().values())
        assert all(text in (OLD, NEW) for text in self.proxy.running.values())
        assert all(self.proxy.loads(text) for text in self.proxy.running.values())


def failing_once() -> Callable[[], CommandError | None]:
    results = iter([CommandError("it failed")])
    return lambda: next(results, None)


def everything_works(world: World) -> Command | None:
    return None


def with_a_command(world: World) -> Command | None:
    return RELOAD


def a_command_fails(world: World) -> Command | None:
    world.command = failing_once()
    return RELOAD


def haproxy_refuses(world: World) -> Command | None:
    world.proxy.accepts = lambda text: text == OLD
    return None


def haproxy_does_not_load(world: World) -> Command | None:
    world.proxy.loads = lambda text: text == OLD
    return None


def a_file_cannot_be_written(world: World) -> Command | None:
    world.unwritable = "b.cfg"
    return None


STORIES = [
    everything_works,
    with_a_command,
    a_command_fails,
    haproxy_refuses,
    haproxy_does_not_load,
    a_file_cannot_be_written,
]


@pytest.mark.parametrize("story", STORIES)
def test_a_deployment_may_be_killed_after_every_step(tmp_path: Path, story: Callable[[World], Command | None]) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    world = World(whole)
    length = world.run(world.jobs(story(world)))
    assert length > 5
    for stop in range(length + 1):
        folder = tmp_path / str(stop)
        folder.mkdir()
        world = World(folder)
        world.run(world.jobs(story(world)), stop_after=stop)
        world.after_kill()
        restart(world, story)
        # The next start finishes what the killed one began, with the data that there are then.
        assert set(world.proxy.files().values()) <= {OLD, NEW}
        assert world.proxy.running == world.proxy.files()


def restart(world: World, story: Callable[[World], Command | None]) -> None:
    """Start again; HAProxy, which was left running, first loads what is in place, as it does when it is adopted."""
    world.proxy.load()
    world.run(world.jobs(story(world)))
    if world.proxy.running != world.proxy.files():  # what was promoted before the kill, and cannot be loaded
        world.run(world.jobs(None, OLD))
        world.proxy.load()


def test_all_files_end_with_the_new_text(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run(world.jobs())
    assert world.proxy.running == dict.fromkeys(("a.cfg", "b.cfg", "c.cfg"), NEW)
    assert world.reports.count("Succeeded") == 2


def test_a_file_that_haproxy_refuses_is_not_promoted(tmp_path: Path) -> None:
    world = World(tmp_path, accepts=lambda text: text == OLD)
    world.run(world.jobs())
    assert set(world.proxy.files().values()) == {OLD}
    assert world.reports.count("Refused") == 2


def test_after_a_failed_load_the_old_files_are_restored_and_loaded(tmp_path: Path) -> None:
    world = World(tmp_path, loads=lambda text: text == OLD)
    world.run(world.jobs())
    assert world.proxy.files() == world.proxy.running == dict.fromkeys(("a.cfg", "b.cfg", "c.cfg"), OLD)
    assert world.reports.count("RolledBack") == 2


def test_all_files_of_a_unit_are_promoted_or_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.unwritable = "b.cfg"
    world.run(world.jobs())
    assert world.proxy.files() == {"a.cfg": OLD, "b.cfg": OLD, "c.cfg": NEW}
    assert "Hindered" in world.reports


def test_a_failed_command_runs_again_on_the_last_good_files(tmp_path: Path) -> None:
    world, seen = World(tmp_path), []

    def command() -> CommandError | None:
        seen.append(set(world.proxy.files().values()))
        return CommandError("it failed") if len(seen) == 1 else None

    world.command = command
    world.run(world.jobs(RELOAD))
    assert seen == [{NEW}, {OLD}]


def test_with_once_the_first_failed_command_ends_the_program(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.command = failing_once()
    with pytest.raises(CommandError, match="it failed"):
        world.run(world.jobs(RELOAD), once=True)
    assert set(world.proxy.files().values()) == {OLD}


def test_a_command_whose_failure_ends_the_program_leaves_the_new_files(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.command = failing_once()
    jobs = world.jobs(RELOAD)
    jobs[0].survives = False
    with pytest.raises(CommandError, match="it failed"):
        world.run(jobs)
    assert set(world.proxy.files().values()) == {NEW}


def test_equal_commands_run_once(tmp_path: Path) -> None:
    world, runs = World(tmp_path), []
    world.command = lambda: runs.append(1)  # type: ignore[func-returns-value]
    world.run(world.jobs(RELOAD))
    assert len(runs) == 1
