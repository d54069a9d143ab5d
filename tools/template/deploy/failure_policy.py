"""Decide about errors of a template: end the program, or report them once while the old file stays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from pyconsul.agent.common.lazy_log import ERROR, INFO, WARNING, LazyLog
from pyconsul.tools.template.deploy.contract import Refused
from pyconsul.tools.template.evaluate.contract import TemplateError, UnsafeField
from pyconsul.tools.template.report.counters import Counters, Event

if TYPE_CHECKING:
    from pyconsul.tools.template.deploy.file_writer import RenderError
    from pyconsul.tools.template.deploy.rendering import Rendering
    from pyconsul.tools.template.evaluate.guard import GuardEvent
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.report.disclosure import Disclosure

log = LazyLog("template")


class FailurePolicy:
    """`must_survive`: whether the consumer of the files must survive errors of templates. `disclosure`: takes secrets out of
    every text."""

    def __init__(self, counters: Counters, disclosure: Disclosure, *, once: bool, must_survive: bool) -> None:
        self.must_survive = must_survive
        self._counters = counters
        self._disclosure = disclosure
        self._latest: WeakKeyDictionary[Rendering, str] = WeakKeyDictionary()  # as it was before concealing
        self._once = once

    def report(self, rendering: Rendering, error: TemplateError | RenderError | Refused) -> None:
        """Raise the error if it ends the program; or log it, once, and let the old file stay."""
        event = Event.REFUSED if isinstance(error, Refused) else Event.TEMPLATE_ERROR
        if rendering.problem and self._latest.get(rendering) == str(error) and not self._is_fatal(rendering, error):
            self._counters.count(event, rendering.spec.destination)
            log.debug("%s; %s stays as it is", rendering.problem, rendering.spec.destination or "its file")
            return
        self._latest[rendering] = str(error)
        text = self._disclosure.conceal(str(error), rendering)
        if self._is_fatal(rendering, error):
            raise type(error)(text)
        rendering.note_problem(text)
        self._counters.count(event, rendering.spec.destination)
        log.error("%s; %s stays as it is", text, rendering.spec.destination or "its file")

    def report_absent(self, rendering: Rendering, absent: set[Lookup]) -> None:
        """Report the keys and services without which a template cannot be written."""
        text = ", ".join(sorted(map(str, absent)))
        if text and text != rendering.problem:
            log.warning("%s: waiting for missing keys: %s", rendering.spec.name, text)
        if text:
            rendering.note_problem(text)

    def report_guard(self, rendering: Rendering, events: Iterable[GuardEvent]) -> None:
        """Report what a template's guard holds now, or no longer."""
        for event in events:
            if event.began:
                self._counters.count(Event.HELD, event.hold.service)
            level = INFO if event.quiet else ERROR if event.began else WARNING
            log.log(level, "%s: %s", rendering.spec.name, event)

    def _is_fatal(self, rendering: Rendering, error: Exception) -> bool:
        # A registered service must not be able to end this program.
        if isinstance(error, Refused | UnsafeField):
            return self._once
        if rendering.spec.error_fatal is not None:
            return rendering.spec.error_fatal
        # Go templates end the program, as in consul-template, unless the consumer must survive.
        return self._once or not rendering.done or not self.survives(rendering)

    def survives(self, rendering: Rendering) -> bool:
        """Return whether a failure leads back to the last good file, rather than to the end of the program."""
        return rendering.spec.survives_errors(must_survive=self.must_survive)
