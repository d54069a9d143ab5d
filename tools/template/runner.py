"""Composes a run: lookups are watched, templates evaluated when their data has changed, files written, commands run.

run:  _pass ─▶ evaluate ─▶ watch what is missing ─▶ write what is complete ─▶ commands, consumer
        ▲                                                                          │
        └──────────── news: an answer, a deadline, the consumer's end ◀────────────┘
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from signal import Signals

from pyconsul.tools.template.answers import Answers
from pyconsul.tools.template.commands import CommandError, Commands
from pyconsul.tools.template.consumer import Consumer
from pyconsul.tools.template.evaluate import TemplateError
from pyconsul.tools.template.lookups import Lookup
from pyconsul.tools.template.render import Draft, RenderError, draft, is_current, is_special, write_special
from pyconsul.tools.template.rendering import Rendering
from pyconsul.tools.template.spec import Command
from pyconsul.tools.template.watcher import Watcher

log = logging.getLogger("template")

#: Seconds before a file that could not be written is tried again.
_WRITE_AGAIN = 5.0


class Refused(Exception):
    """The consumer will not have a file; the text is its own."""


class Runner:
    """`consumer`: None when nobody but the commands uses the files. `news`: as the watcher's."""

    def __init__(
        self,
        renderings: Sequence[Rendering],
        watcher: Watcher,
        answers: Answers,
        news: asyncio.Event,
        commands: Commands,
        consumer: Consumer | None,
        *,
        once: bool,
        dry: bool,
    ) -> None:
        self.renderings = list(renderings)
        self.consumer = consumer
        self._watcher = watcher
        self._answers = answers
        self._news = news
        self._commands = commands
        self._once = once
        self._dry = dry

    async def run(self) -> int:
        """The exit status; without -once only a child's end ends it.

        Raises TemplateError, RenderError, CommandError, ConsulError, SpawnError and Refused for what ends it badly.
        """
        consuming = asyncio.create_task(self.consumer.run()) if self.consumer else None
        if consuming:
            consuming.add_done_callback(lambda _: self._news.set())
        try:
            while True:
                await self._pass()
                if self._once and all(rendering.done for rendering in self.renderings):
                    await self._watcher.close()
                    return await consuming if consuming else 0
                await self._until_news()
                if consuming and consuming.done():
                    return consuming.result()
                if self._watcher.failure is not None:
                    raise self._watcher.failure
        finally:
            if consuming:
                consuming.cancel()
                await asyncio.gather(consuming, return_exceptions=True)
            await self._watcher.close()

    async def stop(self) -> None:
        """End what was started, in order."""
        if self.consumer:
            await self.consumer.stop()

    def signal(self, sig: Signals) -> None:
        """Pass a signal on to the child, if there is one."""
        if self.consumer:
            self.consumer.signal(sig)

    def adopt(self, renderings: Sequence[Rendering]) -> None:
        """Go on with these templates; the answers, the watches and the child stay."""
        done = {old.spec.destination for old in self.renderings if old.done}
        for rendering in renderings:
            rendering.done = rendering.spec.destination in done
        self.renderings = list(renderings)
        self._news.set()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def _until_news(self) -> None:
        deadlines = [rendering.deadline for rendering in self.renderings]
        soonest = min((deadline for deadline in deadlines if deadline is not None), default=None)
        timer = asyncio.get_running_loop().call_at(soonest, self._news.set) if soonest is not None else None
        await self._news.wait()
        self._news.clear()
        if timer:
            timer.cancel()

    async def _pass(self) -> None:
        now = self._now()
        if changed := self._watcher.take():
            for rendering in self.renderings:
                rendering.notice(changed, now)
        # What is evaluated may ask for what is known already, so one evaluation may make another possible.
        evaluated = [self._evaluate(rendering, now) for rendering in self.renderings]
        if any(evaluated):
            self._watcher.retain({lookup for rendering in self.renderings for lookup in rendering.used})
        now = self._now()
        due = [rendering for rendering in self.renderings if (rendering.deadline or now + 1) <= now]
        if due:
            await self._write(due)
        if self.consumer and all(rendering.done for rendering in self.renderings):
            self.consumer.files_ready()

    def _evaluate(self, rendering: Rendering, now: float) -> bool:
        result = rendering.evaluate(self._answers, now)
        if result is None:
            return False
        if result.error is not None:
            self._trouble(rendering, result.error)
        self._watcher.watch(result.missing)
        self._tell_missing(rendering, {lookup for lookup in result.missing if self._answers.known(lookup)})
        return True

    @staticmethod
    def _tell_missing(rendering: Rendering, absent: set[Lookup]) -> None:
        text = ", ".join(sorted(map(str, absent)))
        if text and text != rendering.trouble:
            log.warning("%s: waits for what does not exist: %s", rendering.spec.name, text)
        if text:
            rendering.trouble = text

    def _trouble(self, rendering: Rendering, error: TemplateError | RenderError | Refused) -> None:
        """An error of one template: raise it, or report it once and let the old file stay."""
        if self._is_fatal(rendering, error):
            raise error
        if str(error) != rendering.trouble:
            rendering.trouble = str(error)
            log.error("%s; %s stays as it is", error, rendering.spec.destination or "its file")

    def _is_fatal(self, rendering: Rendering, error: Exception) -> bool:
        if isinstance(error, Refused):
            return self._once
        if rendering.spec.error_fatal is not None:
            return rendering.spec.error_fatal
        # Go templates end the program, as they always did, unless that took down what serves.
        return self._once or not rendering.done or not (self._precious or rendering.spec.syntax != "go")

    @property
    def _precious(self) -> bool:
        return self.consumer is not None and self.consumer.precious

    async def _write(self, due: Sequence[Rendering]) -> None:
        if self._dry:
            _show(due)
            return
        different = []
        for rendering in due:
            if is_current(rendering.spec, rendering.data):
                rendering.written()
            else:
                different.append(rendering)
        changed = await self._place(different)
        await self._run_commands([rendering.spec.command for rendering in changed if rendering.spec.command])
        if self.consumer and changed:
            self.consumer.files_changed()

    async def _run_commands(self, commands: Sequence[Command]) -> None:
        try:
            await self._commands.run_all(commands)
        except CommandError:  # It has been logged.
            if not self._precious or self._once:
                raise

    async def _place(self, renderings: Sequence[Rendering]) -> list[Rendering]:
        """Write these to their destinations; those that were written."""
        drafts: dict[Rendering, Draft | None] = {}
        try:
            for rendering in renderings:
                with self._writing(rendering):
                    drafts[rendering] = self._draft(rendering)
            if refusal := await self._check([draft for draft in drafts.values() if draft]):
                self._refuse(list(drafts), refusal)
                return []
            return [rendering for rendering, draft in drafts.items() if self._promote(rendering, draft)]
        finally:
            for draft in drafts.values():
                if draft:
                    draft.discard()

    @contextlib.contextmanager
    def _writing(self, rendering: Rendering) -> Iterator[None]:
        try:
            yield
        except RenderError as error:
            rendering.postpone(self._now(), _WRITE_AGAIN)
            self._trouble(rendering, error)

    @staticmethod
    def _draft(rendering: Rendering) -> Draft | None:
        if is_special(rendering.spec):
            write_special(rendering.spec, rendering.data)
            return None
        return draft(rendering.spec, rendering.data)

    async def _check(self, drafts: Sequence[Draft]) -> str:
        return await self.consumer.check(drafts) if self.consumer and drafts else ""

    def _refuse(self, renderings: Sequence[Rendering], text: str) -> None:
        for rendering in renderings:
            rendering.refused()
            self._trouble(rendering, Refused(text))
            # What was there before may go on.
            rendering.done = rendering.done or Path(rendering.spec.destination).exists()

    def _promote(self, rendering: Rendering, draft: Draft | None) -> bool:
        with self._writing(rendering):
            if draft:
                draft.promote()
            rendering.written()
            log.info("%s has been written", rendering.spec.destination)
            return True
        return False


def _show(renderings: Sequence[Rendering]) -> None:
    """Write to stdout instead."""
    for rendering in renderings:
        sys.stdout.buffer.write(f"> {rendering.spec.destination}\n".encode() + rendering.data)
        rendering.written()
    sys.stdout.buffer.flush()
