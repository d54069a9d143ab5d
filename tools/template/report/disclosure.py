"""Keeps secrets out of the texts of errors, before they reach the log, the status pages or a terminal.

    disclosure = Disclosure(answers, environ)
    disclosure.conceal(text, rendering)      # "…: strconv.ParseInt: parsing "****": invalid syntax"

Secret are the values of keys and files that a template has read, and the values of variables with names such as PASSWORD.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from pyconsul.tools.template.report.masking import MASK, Mask, secrets_of

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.answers import Answers
    from pyconsul.tools.template.feed.lookups import Lookup

#: Functions that parse numbers, times and the like quote their argument, which may be derived from a secret.
_QUOTED = re.compile(r'\b(parsing|parsing time) "(?:[^"\\]|\\.)*"')
_TELLING = re.compile(r"pass|pwd|secret|token|key|cred|auth|private", re.IGNORECASE)


class Informed(Protocol):
    """The data of a template. `used`: all lookups whose answers matter to it; `file_answers`: the data in its file."""

    @property
    def used(self) -> frozenset[Lookup]: ...

    @property
    def file_answers(self) -> Mapping[Lookup, Any]: ...


class Disclosure:
    """`read`: the variables that templates have read, None for those that are not set."""

    def __init__(self, answers: Answers, read: Mapping[str, str | None]) -> None:
        self._answers = answers
        self._read = read

    def mask(self, rendering: Informed) -> Mask:
        """Return the mask of the template's values of the KV store, present ones and those in its file."""
        known = (rendering.file_answers, self._known(rendering.used))
        return Mask(secret for part in known for pair in part.items() for secret in secrets_of(*pair))

    def conceal(self, text: str, rendering: Informed) -> str:
        """Return the text of an error that this template caused."""
        return self._concealed(text, {**rendering.file_answers, **self._known(rendering.used)}, rendering.file_answers)

    def conceal_all(self, text: str) -> str:
        """Return a text that may hold anything that any template knows."""
        return self._concealed(text, dict(self._answers.items()))

    def _concealed(self, text: str, *known: Mapping[Lookup, Any]) -> str:
        secrets = [secret for part in known for pair in part.items() for secret in _secrets(*pair)]
        text = Mask([*secrets, *self._variables()])(text)
        return _QUOTED.sub(rf'\1 "{MASK}"', text)

    def _known(self, lookups: Iterable[Lookup]) -> dict[Lookup, Any]:
        return {lookup: self._answers.latest(lookup) for lookup in lookups if self._answers.known(lookup)}

    def _variables(self) -> Iterator[str]:
        return (value for name, value in self._read.items() if value and _TELLING.search(name))


def _secrets(lookup: Lookup, answer: Any) -> list[str]:
    return [answer] if lookup.kind == "file" and answer else secrets_of(lookup, answer)
