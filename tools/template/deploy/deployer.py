"""From texts to files in force: draft ─▶ check ─▶ promote ─▶ commands ─▶ load; what fails goes back to the last good file.

Whatever happens to one unit, the others go on.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pyconsul.tools.template.deploy.check_program import examine, with_paths
from pyconsul.tools.template.deploy.contract import CommandError, Commands, LoadError, Refused
from pyconsul.tools.template.deploy.file_writer import RenderError, draft, read_bytes
from pyconsul.tools.template.deploy.job import Job, job_of
from pyconsul.tools.template.deploy.rejected_files import RejectedFiles
from pyconsul.tools.template.report.counters import Event, Tally
from pyconsul.tools.template.report.data_changes import all_changes
from pyconsul.tools.template.report.masking import secrets_of, unified_diff

if TYPE_CHECKING:
    from pyconsul.tools.consul.retry import Jitter
    from pyconsul.tools.template.deploy.contract import Consumer
    from pyconsul.tools.template.deploy.failure_policy import Troubles
    from pyconsul.tools.template.deploy.rendering import Rendering
    from pyconsul.tools.template.deploy.unit import Unit
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.report.disclosure import Disclosure
    from pyconsul.tools.template.spec import Check, Command

log = logging.getLogger("template")


class Deployer:
    """`environment`: of check commands. `now`: seconds of the clock by which units are tried again."""

    def __init__(
        self,
        answers: Answers,
        commands: Commands,
        consumer: Consumer | None,
        troubles: Troubles,
        disclosure: Disclosure,
        tally: Tally,
        rng: Jitter,
        *,
        environment: Mapping[str, str],
        now: Callable[[], float],
        once: bool,
        dry: bool,
        diff: bool,
    ) -> None:
        self._answers = answers
        self._commands = commands
        self._consumer = consumer
        self._troubles = troubles
        self._disclosure = disclosure
        self._tally = tally
        self._rng = rng
        self._environment = environment
        self._now = now
        self._once = once
        self._dry = dry
        self._diff = diff
        self._rejected = RejectedFiles()
        self._diffed: WeakKeyDictionary[Rendering, bytes] = WeakKeyDictionary()
        self._unloaded: list[Job] = []
        #: Whether something was restarted or reloaded, since it was last set to False.
        self.restarted = False

    async def deploy(self, units: Sequence[Unit]) -> None:
        """Write these, and run the commands. Raises TemplateError, RenderError, CommandError and Refused for what
        ends the program."""
        if self._dry:
            for unit in units:
                self._show(unit)
            return
        jobs = [job for unit in units if (job := job_of(unit)) is not None]
        try:
            prepared = [job for job in jobs if self._prepare(job)]
            judged = [job for job in prepared if await self._passes(job)]
            placed = await self._place(judged)
        finally:
            for job in jobs:
                job.discard()
            self._rejected.suspect(rendering for unit in units for rendering in unit.renderings)
        self._unloaded += await self._command(placed)

    def _show(self, unit: Unit) -> None:
        """Write to stdout instead."""
        for rendering in unit.renderings:
            if not rendering.due:
                continue
            if rendering.spec.absent:
                sys.stdout.write(f"> {rendering.spec.destination} is removed\n")
            elif self._diff:
                sys.stdout.write(self._difference(rendering, read_bytes(rendering.spec) or b"", rendering.data))
            else:
                sys.stdout.buffer.write(f"> {rendering.spec.destination}\n".encode() + rendering.data)
            rendering.written()
            rendering.shown = rendering.ingredients(self._answers)
        sys.stdout.flush()
        unit.succeed()

    def _difference(self, rendering: Rendering, old: bytes, new: bytes) -> str:
        now = rendering.ingredients(self._answers)
        # Before the first render by this run nobody knows which values are in the old file.
        unknown = not rendering.shown and any(secrets_of(lookup, answer) for lookup, answer in now.items())
        return unified_diff(old, new, rendering.spec.destination, self._disclosure.mask(rendering), hide_old=unknown)

    def _masked(self, job: Job, text: str) -> str:
        """What a check has said about the files, without the secrets in them."""
        for rendering in job.renderings:
            text = self._disclosure.conceal(text, rendering)
        return text

    def _prepare(self, job: Job) -> bool:
        try:
            job.prepare()
        except RenderError as error:
            self._hinder(job, error)
            return False
        if self._diff:
            for change in job.changes:
                if self._diffed.get(change.rendering) == change.data:  # It was refused, and is tried again.
                    continue
                self._diffed[change.rendering] = change.data
                sys.stderr.write(self._difference(change.rendering, change.old or b"", change.data))
        return True

    async def _passes(self, job: Job) -> bool:
        """Whether the unit's own checks let its files in place."""
        paths = dict(zip(job.unit.renderings, job.paths(), strict=True))
        checks: list[tuple[Check, list[Rendering]]] = []
        for rendering in job.renderings:
            if rendering.spec.check is not None:
                checks.append((rendering.spec.check, [rendering]))
        if job.unit.group is not None and job.unit.group.check is not None:
            checks.append((job.unit.group.check, job.unit.renderings))
        for check, renderings in checks:
            argv = with_paths(check.words, [paths[rendering] for rendering in renderings])
            status, said = await examine(argv, self._environment, check.timeout)
            if status != 0:
                shown = " ".join(check.words)
                said = f": {self._masked(job, said)}" if said else ""
                self._refuse(job, f"the check {shown!r} ended with status {status}{said}")
                return False
        return True

    async def _place(self, jobs: Sequence[Job]) -> list[Job]:
        """Promote what the consumer does not refuse: all at once, or else one by one. What was promoted."""
        if not jobs:
            return []
        drafts = [draft for job in jobs for draft in job.drafts]
        refusal = await self._consumer.check(drafts) if self._consumer is not None and drafts else ""
        if not refusal:
            return [job for job in jobs if self._promote(job)]
        if len(jobs) == 1:
            self._refuse(jobs[0], self._masked(jobs[0], refusal))
            return []
        return [placed for job in jobs for placed in await self._place([job])]

    def _refuse(self, job: Job, text: str) -> None:
        """Its files stay as they are; what was there before may go on."""
        self._postpone(job)
        names: dict[Rendering, str] = {}
        for change in job.changes:
            if change.draft is not None:
                name = names[change.rendering] = self._rejected.keep(change.rendering, change.draft)
                text = text.replace(str(change.draft.path), name or change.rendering.spec.destination)
        for change in job.changes:
            name = names.get(change.rendering, "")
            where = f"the new {change.rendering.spec.destination} is refused{name and f' and kept as {name}'}"
            self._troubles.report(change.rendering, Refused(f"{where}: {text}"))
            change.rendering.done = change.rendering.done or read_bytes(change.rendering.spec) is not None

    def _hinder(self, job: Job, error: RenderError) -> None:
        self._postpone(job)
        for rendering in job.renderings:
            self._troubles.report(rendering, error)

    def _postpone(self, job: Job) -> float:
        for rendering in job.renderings:
            rendering.due = True
        return job.unit.postpone(self._now(), self._rng)

    def _promote(self, job: Job) -> bool:
        try:
            job.promote()
        except RenderError as error:
            self._hinder(job, error)
            return False
        for rendering in job.renderings:
            self._note(rendering)
        return True

    def _note(self, rendering: Rendering) -> None:
        """The file has a new text: say what has changed."""
        before, rendering.shown = rendering.shown, rendering.ingredients(self._answers)
        rendering.changes = all_changes(*_differing(before, rendering.shown))
        rendering.rendered = time.time()
        rendering.written()
        self._tally.count(Event.RENDERED, rendering.spec.destination)
        log.info("%s has been %s", rendering.spec.destination, "removed" if rendering.spec.absent else "written")
        for line in rendering.changes:
            log.info("%s: %s", rendering.spec.destination, line)

    async def _command(self, jobs: Sequence[Job]) -> list[Job]:
        """Run the commands of these, equal ones once, in order; the jobs whose commands have all succeeded."""
        failed: dict[Command, CommandError] = {}
        for command in dict.fromkeys(command for job in jobs for command in job.commands):
            self.restarted = True
            try:
                await self._commands.run(command)
                self._tally.count(Event.RELOADED, command.shown)
            except CommandError as error:
                if failed and self._once:  # The first one ends the program, and is its last word.
                    log.error("%s", self._disclosure.conceal_all(str(error)))
                self._tally.count(Event.RELOAD_FAILED, command.shown)
                failed[command] = error
        bad = [job for job in jobs if any(command in failed for command in job.commands)]
        for job in bad:
            if not all(self._troubles.survives(rendering) for rendering in job.renderings):
                raise next(failed[command] for command in job.commands if command in failed)
        restored = self._go_back(bad, "; ".join(map(str, failed.values())))
        if bad and self._once:
            raise next(iter(failed.values()))
        for command in dict.fromkeys(command for job in restored for command in job.commands if command in failed):
            await self._retract(command)
        return [job for job in jobs if job not in bad]

    async def _retract(self, command: Command) -> None:
        """Let the command see the last good files again."""
        try:
            await self._commands.run(command)
        except CommandError as error:
            self._report_second_failure(error)

    async def load(self) -> None:
        """All files are there: let the consumer load what is new. Raises LoadError with -once."""
        jobs, self._unloaded = self._unloaded, []
        if not jobs:
            self._rejected.tidy()
            return
        if self._consumer is not None:
            self.restarted = True
            try:
                await self._consumer.load()
            except LoadError as error:
                restored = self._go_back(jobs, str(error))
                if self._once:
                    raise
                if restored:
                    await self._load_again()
                return
        for job in jobs:
            job.unit.succeed()
        self._rejected.tidy()

    async def _load_again(self) -> None:
        assert self._consumer is not None
        try:
            await self._consumer.load()
        except LoadError as error:
            self._report_second_failure(error)

    def _report_second_failure(self, error: Exception) -> None:
        text = self._disclosure.conceal_all(str(error))
        log.error("the reload failed again after the last good files were restored: %s", text)

    def _keep_rejected(self, job: Job) -> None:
        """Keep what could not be loaded, as what a check refuses is kept."""
        for change in job.changes:
            if change.promoted and change.draft is not None and change.old is not None:
                with contextlib.suppress(RenderError):
                    again = draft(change.rendering.spec, change.data)
                    self._rejected.keep(change.rendering, again)
                    again.discard()

    def _go_back(self, jobs: Sequence[Job], reason: str) -> list[Job]:
        """Put the last good files back, to try the new ones again later; the jobs that had such files."""
        restored = []
        for job in jobs:
            reason = self._masked(job, reason)
            self._keep_rejected(job)
            staying = job.restore()
            job.unit.owed.update(staying)
            if len(staying) < len(job.changes):
                restored.append(job)
            delay = self._postpone(job)
            if self._once:
                continue
            log.error("the reload failed: %s; retrying in %.3gs or at the next change", reason, delay)
            for rendering in job.renderings:
                rendering.trouble = reason
                self._tally.count(Event.ROLLED_BACK, rendering.spec.destination)
                destination = rendering.spec.destination
                if rendering in staying:
                    log.error("keeping %s: there is no earlier version to restore", destination)
                else:
                    log.error("restored the last good %s", destination)
        return restored


def _differing(
    before: Mapping[Lookup, Any], after: Mapping[Lookup, Any]
) -> tuple[dict[Lookup, Any], dict[Lookup, Any]]:
    """Both without what is the same object in them: of a thousand answers, few have changed."""
    return (
        {lookup: answer for lookup, answer in before.items() if after.get(lookup) is not answer},
        {lookup: answer for lookup, answer in after.items() if before.get(lookup) is not answer},
    )
