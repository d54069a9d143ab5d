"""The state of a one-shot run that a watching run continues from, so that nothing is done twice."""

from __future__ import annotations

from signal import Signals
from typing import TYPE_CHECKING

from pyconsul.agent.common.lazy_log import LazyLog
from pyconsul.tools.template.feed.answers import Answers

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup

log = LazyLog("template")


class Handover:
    """`answers`: the answers so far. `filtered`: lookups whose answers ACLs filter, and for which a warning was logged.
    `signals`: received signals that were not handled."""

    def __init__(self) -> None:
        self.answers = Answers()
        self.filtered: set[Lookup] = set()
        self.signals: list[Signals] = []


def warn_of_filtered(lookup: Lookup, warned: set[Lookup]) -> None:
    """Log, once, that the token hides a part of a lookup's answer."""
    if lookup not in warned:
        warned.add(lookup)
        log.warning("%s: Consul has left out what the token may not read; it lacks %s", lookup, lookup.permission)
