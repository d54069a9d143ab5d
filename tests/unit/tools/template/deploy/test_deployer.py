"""The deployer: what it reports of a deployment, what it keeps, and when it tries again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import Signals
from typing import Any

import pytest

from pyconsul.tools.template.deploy.contract import CommandError, LoadError
from pyconsul.tools.template.deploy.deployer import Deployer
from pyconsul.tools.template.deploy.failure_policy import FailurePolicy
from pyconsul.tools.template.deploy.file_writer import Draft
from pyconsul.tools.template.deploy.rendering import Rendering
from pyconsul.tools.template.deploy.unit import Unit
from pyconsul.tools.template.evaluate.contract import Evaluation
from pyconsul.tools.template.evaluate.guard import Guard
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.report.counters import Counters
from pyconsul.tools.template.report.disclosure import Disclosure
from pyconsul.tools.template.spec import Command, Spec

RELOAD = Command(("reload",))


class Text:
    guard: Guard | None = None
    text = "new"

    def evaluate(self, answers: Answers, now: float) -> Evaluation:
        return Evaluation(self.text, frozenset(), frozenset())


class User:
    """A consumer and the commands: both note what they are asked to do."""

    must_survive = True

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.refusal = ""
        self.load_errors: list[LoadError] = []
        self.command_errors: list[CommandError] = []

    async def check(self, drafts: Sequence[Draft]) -> str:
        self.calls.append("check")
        return self.refusal

    async def load(self) -> None:
        self.calls.append("load")
        if self.load_errors:
            raise self.load_errors.pop()

    async def run_command(self, command: Command) -> None:
        self.calls.append(command.shown)
        if self.command_errors:
            raise self.command_errors.pop()

    def claim(self) -> None: ...

    def files_ready(self) -> None: ...

    async def run(self) -> int:
        return 0

    async def stop(self, *, handover: bool = False) -> None: ...

    def signal(self, sig: Signals) -> None: ...


class Runs:
    def __init__(self, user: User) -> None:
        self._user = user

    async def run(self, command: Command) -> None:
        await self._user.run_command(command)


class NoJitter:
    def uniform(self, a: float, b: float, /) -> float:
        return b


async def at_once(work: Callable[[], Any]) -> Any:
    return work()


class World:
    """One file with its old text, and a template that gives the new one."""

    def __init__(self, folder: Path, *, once: bool = False, dry: bool = False, command: Command | None = None) -> None:
        self.file = folder / "out"
        self.file.write_text("old")
        self.user, answers, counters = User(), Answers(), Counters()
        self.rendering = Rendering(Spec(str(self.file), source="in.j2", command=command), Text())
        self.rendering.evaluate(answers, 0.0)
        self.unit = Unit([self.rendering], None, wait=False)
        disclosure = Disclosure(answers, {})
        self.deployer = Deployer(
            answers,
            Runs(self.user),
            self.user,
            FailurePolicy(counters, disclosure, once=once, must_survive=True),
            disclosure,
            counters,
            NoJitter(),
            environment={},
            now=lambda: 100.0,
            once=once,
            dry=dry,
            diff=False,
            in_thread=at_once,
        )

    @property
    def names(self) -> set[str]:
        return {path.name for path in self.file.parent.iterdir()}


async def test_a_new_text_is_checked_placed_and_loaded(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert await world.deployer.deploy([world.unit]) is False  # nothing ran as yet
    assert world.file.read_text() == "new"
    assert await world.deployer.load() is True
    assert world.user.calls == ["check", "load"]
    assert (world.rendering.done, world.rendering.due, world.unit.retry_at) == (True, False, None)


async def test_a_current_file_is_not_deployed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.file.write_text("new")
    assert await world.deployer.deploy([world.unit]) is False
    assert await world.deployer.load() is False
    assert world.user.calls == []
    assert world.unit.done


async def test_commands_run_before_the_consumer_loads(tmp_path: Path) -> None:
    world = World(tmp_path, command=RELOAD)
    assert await world.deployer.deploy([world.unit]) is True
    await world.deployer.load()
    assert world.user.calls == ["check", "reload", "load"]


async def test_a_refused_file_is_kept_for_people_and_tried_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.user.refusal = "unknown keyword"
    await world.deployer.deploy([world.unit])
    assert world.file.read_text() == "old"
    assert (tmp_path / "out.rejected").read_text() == "new"
    assert "unknown keyword" in world.rendering.problem
    assert world.unit.retry_at == 101.0
    world.user.refusal = ""
    await world.deployer.deploy([world.unit])
    await world.deployer.load()
    assert world.names == {"out"}


async def test_a_file_that_cannot_be_loaded_is_rolled_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path)
    world.user.load_errors = [LoadError("it does not start")]
    with caplog.at_level(logging.INFO, "template"):
        await world.deployer.deploy([world.unit])
        await world.deployer.load()
    assert world.file.read_text() == "old"
    assert (tmp_path / "out.rejected").read_text() == "new"
    assert world.user.calls == ["check", "load", "load"]
    assert world.unit.pending
    assert f"restored the last good {world.file}" in caplog.messages


async def test_the_only_version_of_a_file_stays_though_it_cannot_be_loaded(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.file.unlink()
    world.user.load_errors = [LoadError("it does not start")]
    await world.deployer.deploy([world.unit])
    await world.deployer.load()
    assert world.file.read_text() == "new"
    assert world.user.calls == ["check", "load"]
    # It is on disk already, but is still to be loaded.
    world.rendering.postpone()
    await world.deployer.deploy([world.unit])
    await world.deployer.load()
    assert world.user.calls[2:] == ["check", "load"]


async def test_with_once_a_failed_load_ends_the_program_with_the_old_file(tmp_path: Path) -> None:
    world = World(tmp_path, once=True)
    world.user.load_errors = [LoadError("it does not start")]
    await world.deployer.deploy([world.unit])
    with pytest.raises(LoadError, match="does not start"):
        await world.deployer.load()
    assert world.file.read_text() == "old"


async def test_a_failed_command_returns_to_the_old_file_and_runs_again(tmp_path: Path) -> None:
    world = World(tmp_path, command=RELOAD)
    world.user.command_errors = [CommandError("exit 1")]
    await world.deployer.deploy([world.unit])
    await world.deployer.load()
    assert world.file.read_text() == "old"
    assert world.user.calls == ["check", "reload", "reload"]


async def test_dry_runs_touch_no_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    world = World(tmp_path, dry=True)
    await world.deployer.deploy([world.unit])
    assert world.file.read_text() == "old"
    assert capfd.readouterr().out == f"> {world.file}\nnew"


async def test_an_end_in_the_middle_leaves_no_draft(tmp_path: Path) -> None:
    world = World(tmp_path)

    async def check(drafts: Sequence[Draft]) -> str:
        assert len(world.names) == 2
        raise KeyboardInterrupt

    world.user.check = check  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        await world.deployer.deploy([world.unit])
    assert world.names == {"out"}
