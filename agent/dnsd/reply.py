"""An answer as plain data: the sections, and what it depends on."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyconsul.agent.dnsd.wire import NOERROR, Record


@dataclass(slots=True)
class Reply:
    """What is answered to one question.

    topics: the watch topics whose change makes it stale.  varied: another asking may order it otherwise.
    wanted: hosts outside the zone whose addresses belong into it, but are not known yet.
    passing: it depends on something without a topic, and may not be kept.
    refused: the name is nobody's here; recursors may know it.  scoped: it holds for the asking subnet only.
    """

    rcode: int = NOERROR
    answer: list[Record] = field(default_factory=list)
    authority: list[Record] = field(default_factory=list)
    additional: list[Record] = field(default_factory=list)
    topics: set[str] = field(default_factory=set)
    wanted: list[bytes] = field(default_factory=list)
    varied: bool = False
    passing: bool = False
    refused: bool = False
    scoped: bool = False
    truncated: bool = False
