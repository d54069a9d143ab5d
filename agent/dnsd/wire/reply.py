"""An answer as plain data: the sections, and the topics it depends on."""

from __future__ import annotations

import msgspec

from pyconsul.agent.dnsd.wire.layout import NOERROR, Record
from pyconsul.agent.dnsd.wire.packed import Packed


class Reply(msgspec.Struct):
    """The answer to one question.

    topics: the watch topics whose change makes it stale.  varied: another asking may order it otherwise.
    wanted: hosts outside the zone whose addresses belong into it, but are not known yet.
    passing: it depends on something without a topic, and may not be kept.
    packed: the answer and additional sections as bytes, in place of records.
    refused: the name is in no zone of this server; recursors may know it.  scoped: it holds for the asking subnet only.
    cut: records were left out, because they are too many or too long.
    """

    rcode: int = NOERROR
    answer: list[Record] = []
    authority: list[Record] = []
    additional: list[Record] = []
    topics: set[str] = msgspec.field(default_factory=set)
    wanted: list[bytes] = []
    varied: bool = False
    many: int = 0
    passing: bool = False
    refused: bool = False
    scoped: bool = False
    cut: bool = False
    packed: Packed | None = None

    @property
    def partial(self) -> bool:
        """Return whether there are instances that are not in the answer."""
        return self.many > (self.packed.answers if self.packed is not None else len(self.answer))
