"""Contracts of evaluation: templates, results of evaluations, and errors of templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from pyconsul.agent.common.structs import struct

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.guard import Guard, GuardEvent
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup

#: Sees each printed value before it is printed; a ValueError of it stops the rendering with the location of the value.
Inspect = Callable[[str], None]


class TemplateError(Exception):
    """A template cannot be parsed or evaluated; the text names file and line."""


class BrokenTemplate(TemplateError):
    """A template whose errors end the program cannot be parsed."""


class UnsafeField(TemplateError):
    """A field of the catalog would break a line of the file; the text names the field."""


class Template(Protocol):
    """A parsed template."""

    #: Whether to report errors while lookups are missing. Go templates do.
    fails_while_missing: bool
    #: Its source.
    text: str

    def render(self, inspect: Inspect | None = None) -> str:
        """Return the text from the view that its functions have. Raises TemplateError, also for a ValueError of
        `inspect`."""
        ...


@struct(frozen=True)
class Evaluation:
    """`text` is whole only when nothing is `missing` and there is no `error`. `guarded`: the events of its guard."""

    text: str
    used: frozenset[Lookup]
    missing: frozenset[Lookup]
    error: TemplateError | None = None
    guarded: tuple[GuardEvent, ...] = ()

    @property
    def complete(self) -> bool:
        """Return whether the text may be written."""
        return not self.missing and self.error is None


class Evaluable(Protocol):
    """A template, or a template for one item. `guard`: checks the lists of services that it asks for."""

    guard: Guard | None

    def evaluate(self, answers: Answers, now: float) -> Evaluation:
        """Return the text from these answers. `now`: seconds of any clock."""
        ...
