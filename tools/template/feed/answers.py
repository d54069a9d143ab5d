"""The latest answers to all lookups, and one template's view of them, which notes what was asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup


class Answers:
    """What is known. "Not found" is an answer (None); then the last answer that was found is kept beside it."""

    def __init__(self) -> None:
        self._latest: dict[Lookup, Any] = {}
        self._found: dict[Lookup, Any] = {}

    def put(self, lookup: Lookup, answer: Any) -> bool:
        """Returns whether it differs from what was known."""
        if lookup in self._latest and self._latest[lookup] == answer:
            return False
        self._latest[lookup] = answer
        if answer is not None:
            self._found[lookup] = answer
        return True

    def known(self, lookup: Lookup) -> bool:
        """Return whether there was an answer at all."""
        return lookup in self._latest

    def latest(self, lookup: Lookup) -> Any:
        """Return the answer; None for "not found". Raises KeyError when there was none."""
        return self._latest[lookup]

    def found(self, lookup: Lookup) -> Any:
        """Return the last answer that was not "not found"; None when there was none."""
        return self._found.get(lookup)

    def items(self) -> Iterable[tuple[Lookup, Any]]:
        """Return all lookups with their answers."""
        return self._latest.items()

    def retain(self, lookups: Iterable[Lookup]) -> None:
        """Forget all others."""
        kept = set(lookups)
        self._latest = {lookup: answer for lookup, answer in self._latest.items() if lookup in kept}
        self._found = {lookup: answer for lookup, answer in self._found.items() if lookup in kept}


class View:
    """The answers as one evaluation sees them."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.used: set[Lookup] = set()
        #: Lookups without an answer, or whose "not found" a template cannot do without.
        self.missing: set[Lookup] = set()

    def ask(self, lookup: Lookup) -> Any:
        """Return the answer; None for "not found", and before the first one (then it is noted as missing)."""
        self.used.add(lookup)
        try:
            return self._answers.latest(lookup)
        except KeyError:
            self.missing.add(lookup)
            return None

    def need(self, lookup: Lookup) -> Any:
        """As `ask`, but "not found" counts as missing; what was found before stays in force."""
        self.used.add(lookup)
        answer = self._answers.found(lookup)
        if answer is None:
            self.missing.add(lookup)
        return answer
