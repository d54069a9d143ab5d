"""The order of a deployment, as steps. Pure: a generator yields the next step and is sent its result.

    drafts ─▶ checks ─▶ promotion ─▶ commands        deployment()
    load ─ refused ─▶ last good files ─▶ load        loading()

A failure of one job does not affect the others. Between any two steps each destination holds its old or its new text as a
whole, and new text is there only after all checks of it. The last good files return before anything is run or loaded again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.structs import struct

if TYPE_CHECKING:
    from pyconsul.tools.template.deploy.contract import CommandError
    from pyconsul.tools.template.deploy.file_writer import RenderError
    from pyconsul.tools.template.deploy.job import FileChange, Job
    from pyconsul.tools.template.deploy.rendering import Rendering
    from pyconsul.tools.template.spec import Command


@struct(frozen=True)
class WriteDraft:
    """Write the new text beside its destination. Result: a RenderError or None."""

    change: FileChange


@struct(frozen=True)
class Prepared:
    """All drafts of a job are written."""

    job: Job


@struct(frozen=True)
class CheckJob:
    """Run the checks of a job's own. Result: why its files must not be put in place; "" when they may."""

    job: Job


@struct(frozen=True)
class CheckTogether:
    """Let the consumer check the drafts of all these jobs. Result: as of `CheckJob`."""

    jobs: Sequence[Job]


@struct(frozen=True)
class Promote:
    """Put the new text in place. Result: a RenderError or None."""

    change: FileChange


@struct(frozen=True)
class Placed:
    """All files of a job have their new text."""

    job: Job


@struct(frozen=True)
class Restore:
    """Put the old text back if the new one is in place. Result: whether the new text stays, as the only one there is."""

    change: FileChange


@struct(frozen=True)
class KeepRejected:
    """Keep the new text beside its destination, for people to look at."""

    change: FileChange


@struct(frozen=True)
class RunCommand:
    """Run a command. `failed`: whether another one has failed before. Result: a CommandError or None."""

    command: Command
    failed: bool = False


@struct(frozen=True)
class RunAgain:
    """Run a command that has failed once more, on the last good files."""

    command: Command


@struct(frozen=True)
class Load:
    """Let the consumer load the files that are in place. Result: a LoadError or None."""


@struct(frozen=True)
class LoadAgain:
    """Let the consumer load the last good files."""


@struct(frozen=True)
class Refused:
    """A check refuses a job's files: report it; drafts are dropped. `own`: whether the job's own checks do."""

    job: Job
    text: str
    own: bool


@struct(frozen=True)
class Hindered:
    """The files of a job cannot be written: report it."""

    job: Job
    error: RenderError


@struct(frozen=True)
class RolledBack:
    """The last good files are back: report it. `staying`: new texts without an earlier version. Result: the reason as it
    was reported."""

    job: Job
    staying: Sequence[Rendering]
    reason: str


@struct(frozen=True)
class Succeeded:
    """The files of a job are in use."""

    job: Job


Step = (
    WriteDraft
    | Prepared
    | CheckJob
    | CheckTogether
    | Promote
    | Placed
    | Restore
    | KeepRejected
    | RunCommand
    | RunAgain
    | Load
    | LoadAgain
    | Refused
    | Hindered
    | RolledBack
    | Succeeded
)
Jobs = Generator[Step, Any, "list[Job]"]


def deployment(jobs: Sequence[Job], *, once: bool) -> Jobs:
    """Write these files and run their commands; returns the jobs that are still to be loaded.

    `once`: the program ends with the first failed command. Raises the CommandError that ends the program.
    """
    prepared = []
    for job in jobs:
        if (yield from _prepare(job)):
            prepared.append(job)
    judged = []
    for job in prepared:
        if refusal := (yield CheckJob(job)):
            yield Refused(job, refusal, own=True)
        else:
            judged.append(job)
    placed = yield from _place(judged)
    return (yield from _run_commands(placed, once=once))


def loading(jobs: Sequence[Job], *, once: bool, consumed: bool) -> Generator[Step, Any, None]:
    """Let the consumer load the files of these jobs. `consumed`: whether there is a consumer. Raises LoadError with `once`."""
    error = (yield Load()) if consumed else None
    if error is None:
        for job in jobs:
            yield Succeeded(job)
        return
    restored = yield from _go_back(jobs, str(error))
    if once:
        raise error
    if restored:
        yield LoadAgain()


def _prepare(job: Job) -> Generator[Step, Any, bool]:
    for change in job.changes:
        if (error := (yield WriteDraft(change))) is not None:
            yield Hindered(job, error)
            return False
    yield Prepared(job)
    return True


def _place(jobs: Sequence[Job]) -> Jobs:
    """Promote what the consumer does not refuse: all at once, or else one by one."""
    if not jobs:
        return []
    refusal = yield CheckTogether(jobs)
    if refusal and len(jobs) == 1:
        yield Refused(jobs[0], refusal, own=False)
        return []
    placed = []
    for job in jobs:
        if refusal:
            placed += yield from _place([job])
        elif (yield from _promote(job)):
            placed.append(job)
    return placed


def _promote(job: Job) -> Generator[Step, Any, bool]:
    """Yield all files of the job, or none."""
    for number, change in enumerate(job.changes):
        if (error := (yield Promote(change))) is not None:
            for earlier in job.changes[:number]:
                yield Restore(earlier)
            yield Hindered(job, error)
            return False
    yield Placed(job)
    return True


def _run_commands(jobs: Sequence[Job], *, once: bool) -> Jobs:
    """Run equal commands once, in order; returns the jobs whose commands have all succeeded."""
    failed: dict[Command, CommandError] = {}
    for command in _commands(jobs):
        if (error := (yield RunCommand(command, failed=bool(failed)))) is not None:
            failed[command] = error
    bad = [job for job in jobs if any(command in failed for command in job.commands)]
    for job in bad:
        if not job.survives:
            raise next(failed[command] for command in job.commands if command in failed)
    restored = yield from _go_back(bad, "; ".join(map(str, failed.values())))
    if bad and once:
        raise next(iter(failed.values()))
    for command in _commands(restored):
        if command in failed:
            yield RunAgain(command)
    return [job for job in jobs if job not in bad]


def _commands(jobs: Iterable[Job]) -> Iterable[Command]:
    return dict.fromkeys(command for job in jobs for command in job.commands)


def _go_back(jobs: Sequence[Job], reason: str) -> Jobs:
    """Put the last good files back; returns the jobs that had such files."""
    restored = []
    for job in jobs:
        for change in job.changes:
            yield KeepRejected(change)
        staying = []
        for change in job.changes:
            if (yield Restore(change)):
                staying.append(change.rendering)
        if len(staying) < len(job.changes):
            restored.append(job)
        reason = yield RolledBack(job, staying, reason)
    return restored
