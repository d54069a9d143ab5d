"""When Consul does not answer: one line in the log when that begins, one when it is over, however many lookups fail."""

from __future__ import annotations

import logging

from pyconsul.tools.consul import ConsulError
from pyconsul.tools.template.lookups import Lookup

log = logging.getLogger("template")


class Outage:
    """Which lookups fail at present, and what was said about it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._failing: dict[Lookup, str] = {}
        self._unreachable = False
        #: Whether anything was ever answered: from then on an outage is ridden out.
        self.answered = False

    def begin(self, lookup: Lookup, error: ConsulError) -> None:
        """This lookup has failed and will be tried again."""
        text = str(error)
        if error.status == 0:  # No answer at all concerns every lookup.
            if not self._unreachable:
                self._unreachable = True
                log.warning("Consul does not answer: %s; files stay as they are, trying again", text)
        elif self._failing.get(lookup) != text:
            log.warning("%s: %s; trying again", lookup, text)
        self._failing[lookup] = text

    def over(self, lookup: Lookup) -> None:
        """This lookup has been answered."""
        self.answered = True
        self.forget(lookup)

    def forget(self, lookup: Lookup) -> None:
        """Nobody wants this lookup any more, or it is answered."""
        if self._failing.pop(lookup, None) is not None and not self._failing:
            if self._unreachable:
                log.warning("Consul at %s answers again", self._address)
            self._unreachable = False
