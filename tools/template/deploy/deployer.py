"""Deploy rendered texts: draft ─▶ check ─▶ promote ─▶ commands ─▶ load; after a failure the last good files are restored.

A failure of one unit does not affect the others.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from pyconsul.agent.common.lazy_log import LazyLog
from pyconsul.tools.template.deploy import deployment as steps
from pyconsul.tools.template.deploy.contract import CommandError, Commands, FileWork, LoadError, Refused
from pyconsul.tools.template.deploy.file_writer import RenderError, exists, read_bytes
from pyconsul.tools.template.deploy.job import FileChange, Job, mark_current, pending_changes
from pyconsul.tools.template.deploy.rejected_files import RejectedFiles
from pyconsul.tools.template.report.counters import Counters, Event
from pyconsul.tools.template.report.data_changes import all_changes
from pyconsul.tools.template.report.masking import secrets_of, unified_diff

if TYPE_CHECKING:
    from pyconsul.tools.consul.retry import Jitter
    from pyconsul.tools.template.deploy.contract import Consumer
    from pyconsul.tools.template.deploy.failure_policy import FailurePolicy
    from pyconsul.tools.template.deploy.rendering import Rendering
    from pyconsul.tools.template.deploy.unit import Unit
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.report.disclosure import Disclosure
    from pyconsul.tools.template.spec import Check, Command

log = LazyLog("template")

T = TypeVar("T")


class Deployer:
    """Carries out deployments step by step.

    `environment`: of check commands. `now`: seconds of the clock by which units are tried again. `in_thread`: runs work on
    files where it does not keep others waiting.
    """

    def __init__(
        self,
        answers: Answers,
        commands: Commands,
        consumer: Consumer | None,
        failures: FailurePolicy,
        disclosure: Disclosure,
        counters: Counters,
        rng: Jitter,
        *,
        environment: Mapping[str, str],
        now: Callable[[], float],
        once: bool,
        dry: bool,
        diff: bool,
        in_thread: FileWork,
    ) -> None:
        self._answers = answers
        self._commands = commands
        self._consumer = consumer
        self._failures = failures
        self._disclosure = disclosure
        self._counters = counters
        self._rng = rng
        self._environment = environment
        self._now = now
        self._once = once
        self._dry = dry
        self._diff = diff
        self._rejected = RejectedFiles()
        self._diffed: WeakKeyDictionary[Rendering, bytes] = WeakKeyDictionary()
        self._in_thread = in_thread
        self._unloaded: list[Job] = []

    async def deploy(self, units: Sequence[Unit]) -> bool:
        """Write these, and run the commands; returns whether any ran. Raises TemplateError, RenderError, CommandError and
        Refused for what ends the program."""
        if self._dry:
            for unit in units:
                await self._show(unit)
            return False
        found = await self._pending_changes(units)
        jobs = []
        for unit, changes in zip(units, found, strict=True):
            mark_current(unit, changes)
            if changes:
                survives = all(self._failures.survives(change.rendering) for change in changes)
                jobs.append(Job(unit, changes, survives=survives))
        try:
            deployed, ran = await self._carry_out(steps.deployment(jobs, once=self._once))
        finally:
            for job in jobs:
                job.discard()
            self._rejected.suspect(rendering for unit in units for rendering in unit.renderings)
        self._unloaded += deployed
        return ran

    async def with_changes(self, units: Sequence[Unit]) -> list[Unit]:
        """Return those of the units that have files to write; the others are settled."""
        changing = []
        for unit, changes in zip(units, await self._pending_changes(units), strict=True):
            if changes:
                changing.append(unit)
            else:
                mark_current(unit, changes)
        return changing

    async def _pending_changes(self, units: Sequence[Unit]) -> list[list[FileChange]]:
        found: list[list[FileChange]] = await self._in_thread(lambda: [pending_changes(unit) for unit in units])
        return found

    async def load(self) -> bool:
        """Let the consumer load new files, now that all files exist; returns whether it did. Raises LoadError with
        -once."""
        jobs, self._unloaded = self._unloaded, []
        ran = False
        if jobs:
            consumed = self._consumer is not None
            _, ran = await self._carry_out(steps.loading(jobs, once=self._once, consumed=consumed))
        if not any(job.unit.pending for job in jobs):
            await self._in_thread(self._rejected.tidy)
        return ran

    async def _carry_out(self, plan: Generator[steps.Step, Any, T]) -> tuple[T, bool]:
        """Return the result of the plan, and whether it ran a command or loaded files."""
        result, ran = None, False
        while True:
            try:
                step = plan.send(result)
            except StopIteration as end:
                return end.value, ran
            ran = ran or isinstance(step, steps.RunCommand | steps.Load)
            result = await self._do(step)

    async def _do(self, step: steps.Step) -> Any:
        """Carry out one step; returns its result."""
        match step:
            case steps.WriteDraft(change):
                return await self._write(change.prepare)
            case steps.Prepared(job):
                await self._show_difference(job)
            case steps.CheckJob(job):
                return await self._check(job)
            case steps.CheckTogether(jobs):
                drafts = [draft for job in jobs for draft in job.drafts]
                return await self._consumer.check(drafts) if self._consumer is not None and drafts else ""
            case steps.Promote(change):
                return await self._write(change.promote)
            case steps.Placed(job):
                for rendering in job.renderings:
                    self._note(rendering)
            case steps.Restore(change):
                return await self._restore(change)
            case steps.KeepRejected(change):
                await self._in_thread(functools.partial(self._rejected.keep_promoted, change))
            case steps.RunCommand(command, failed):
                return await self._run(command, failed=failed)
            case steps.RunAgain(command):
                await self._again(self._commands.run(command))
            case steps.Load():
                return await self._load()
            case steps.LoadAgain():
                assert self._consumer is not None
                await self._again(self._consumer.load())
            case _:
                return await self._report(step)
        return None

    async def _report(self, step: steps.Step) -> Any:
        match step:
            case steps.Refused(job, text, own):
                await self._refuse(job, text if own else self._masked(job, text))
            case steps.Hindered(job, error):
                self._hinder(job, error)
            case steps.RolledBack(job, staying, reason):
                return self._report_roll_back(job, staying, reason)
            case steps.Succeeded(job):
                job.unit.succeed()
        return None

    async def _write(self, work: Callable[[], object]) -> RenderError | None:
        try:
            await self._in_thread(work)
        except RenderError as error:
            return error
        return None

    async def _restore(self, change: FileChange) -> bool:
        if (error := await self._write(change.restore)) is not None:
            log.error("%s has its new text still: %s", change.rendering.spec.destination, error)
        return change.promoted

    async def _run(self, command: Command, *, failed: bool) -> CommandError | None:
        try:
            await self._commands.run(command)
        except CommandError as error:
            if failed and self._once:  # the first error ends the program with its message
                log.error("%s", self._disclosure.conceal_all(str(error)))
            self._counters.count(Event.RELOAD_FAILED, command.shown)
            return error
        self._counters.count(Event.RELOADED, command.shown)
        return None

    async def _load(self) -> LoadError | None:
        assert self._consumer is not None
        try:
            await self._consumer.load()
        except LoadError as error:
            return error
        return None

    async def _again(self, attempt: Awaitable[None]) -> None:
        """Run or load once more, now with the last good files."""
        try:
            await attempt
        except (CommandError, LoadError) as error:
            text = self._disclosure.conceal_all(str(error))
            log.error("the reload failed again after the last good files were restored: %s", text)

    async def _show(self, unit: Unit) -> None:
        """Write to stdout instead."""
        due = [rendering for rendering in unit.renderings if rendering.due]
        previews = [self._preview(rendering) for rendering in due]
        await self._in_thread(lambda: _print_all(previews))
        for rendering in due:
            rendering.record_file(rendering.ingredients(self._answers))
        unit.succeed()

    def _preview(self, rendering: Rendering) -> Callable[[], bytes]:
        """Return a function that makes the output of a dry run for one file; it reads the file."""
        spec, data = rendering.spec, rendering.data
        if spec.absent:
            return f"> {spec.destination} is removed\n".encode
        if not self._diff:
            return lambda: f"> {spec.destination}\n".encode() + data
        difference = self._difference(rendering)
        return lambda: difference(read_bytes(spec) or b"", data).encode()

    def _difference(self, rendering: Rendering) -> Callable[[bytes, bytes], str]:
        """Return a function that makes the masked difference of two texts of a file; it needs no other data."""
        now = rendering.ingredients(self._answers)
        # Before the first render by this run the values in the old file are unknown.
        unknown = not rendering.file_answers and any(secrets_of(lookup, answer) for lookup, answer in now.items())
        mask, name = self._disclosure.mask(rendering), rendering.spec.destination
        return lambda old, new: unified_diff(old, new, name, mask, hide_old=unknown)

    def _masked(self, job: Job, text: str) -> str:
        """Return the output of a check without the secrets of the files."""
        for rendering in job.renderings:
            text = self._disclosure.conceal(text, rendering)
        return text

    async def _show_difference(self, job: Job) -> None:
        if not self._diff:
            return
        for change in job.changes:
            if self._diffed.get(change.rendering) == change.data:  # a retry of a refused text
                continue
            self._diffed[change.rendering] = change.data
            difference = self._difference(change.rendering)
            print_it = functools.partial(_print_difference, difference, change.old or b"", change.data)
            await self._in_thread(print_it)

    async def _check(self, job: Job) -> str:
        """Run the checks of the unit and its templates; returns why one refuses the files, "" when none does."""
        paths = dict(zip(job.unit.renderings, job.paths(), strict=True))
        checks: list[tuple[Check, list[Rendering]]] = []
        for rendering in job.renderings:
            if rendering.spec.check is not None:
                checks.append((rendering.spec.check, [rendering]))
        if job.unit.group is not None and job.unit.group.check is not None:
            checks.append((job.unit.group.check, job.unit.renderings))
        if not checks:
            return ""
        from pyconsul.tools.template.deploy.check_program import run_check, with_paths

        for check, renderings in checks:
            argv = with_paths(check.words, [paths[rendering] for rendering in renderings])
            status, output = await run_check(argv, self._environment, check.timeout)
            if status != 0:
                shown = " ".join(check.words)
                output = f": {self._masked(job, output)}" if output else ""
                return f"the check {shown!r} ended with status {status}{output}"
        return ""

    async def _refuse(self, job: Job, text: str) -> None:
        """Keep the files in use; report and keep the refused ones."""
        self._postpone(job)
        names: dict[Rendering, str] = {}
        for change in job.changes:
            if change.draft is not None:
                keep = functools.partial(self._rejected.keep, change.rendering, change.draft)
                name = names[change.rendering] = await self._in_thread(keep)
                text = text.replace(str(change.draft.path), name or change.rendering.spec.destination)
        for change in job.changes:
            name = names.get(change.rendering, "")
            where = f"the new {change.rendering.spec.destination} is refused{name and f' and kept as {name}'}"
            self._failures.report(change.rendering, Refused(f"{where}: {text}"))
            if not change.rendering.done and await self._in_thread(functools.partial(exists, change.rendering.spec)):
                change.rendering.accept_existing()

    def _hinder(self, job: Job, error: RenderError) -> None:
        self._postpone(job)
        for rendering in job.renderings:
            self._failures.report(rendering, error)

    def _postpone(self, job: Job) -> float:
        for rendering in job.renderings:
            rendering.postpone()
        return job.unit.postpone(self._now(), self._rng)

    def _note(self, rendering: Rendering) -> None:
        """Log and count that the file has a new text, and what has changed."""
        before, answers = rendering.file_answers, rendering.ingredients(self._answers)
        rendering.record_file(answers)
        rendering.record_changes(all_changes(*_differing(before, answers)), time.time())
        self._counters.count(Event.RENDERED, rendering.spec.destination)
        log.info("%s has been %s", rendering.spec.destination, "removed" if rendering.spec.absent else "written")
        for line in rendering.changes:
            log.info("%s: %s", rendering.spec.destination, line)

    def _report_roll_back(self, job: Job, staying: Sequence[Rendering], reason: str) -> str:
        reason = self._masked(job, reason)
        job.unit.written_but_not_loaded.update(staying)
        delay = self._postpone(job)
        if self._once:
            return reason
        log.error("the reload failed: %s; retrying in %.3gs or at the next change", reason, delay)
        for rendering in job.renderings:
            rendering.note_problem(reason)
            destination = rendering.spec.destination
            self._counters.count(Event.ROLLED_BACK, destination)
            if rendering in staying:
                log.error("keeping %s: no earlier version was kept", destination)
            else:
                log.error("restored the last good %s", destination)
        return reason


def _print_all(previews: Iterable[Callable[[], bytes]]) -> None:
    for preview in previews:
        sys.stdout.buffer.write(preview())
    sys.stdout.flush()


def _print_difference(difference: Callable[[bytes, bytes], str], old: bytes, new: bytes) -> None:
    sys.stderr.write(difference(old, new))


def _differing(
    before: Mapping[Lookup, Any], after: Mapping[Lookup, Any]
) -> tuple[dict[Lookup, Any], dict[Lookup, Any]]:
    """Return both without equal objects: of a thousand answers, few have changed."""
    return (
        {lookup: answer for lookup, answer in before.items() if after.get(lookup) is not answer},
        {lookup: answer for lookup, answer in after.items() if before.get(lookup) is not answer},
    )
