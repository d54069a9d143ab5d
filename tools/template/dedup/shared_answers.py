"""The answers that instances with the same template share: the role of this instance, and the leader's document. Pure.

One key has both: the session that holds it is the leader's, its value is the leader's latest document.

    key             role       queries of this instance
    unknown         WAITING    those of before; ALONE after a while
    held by us      LEADER     all, and it shares the answers
    … by another    FOLLOWER   those that the document does not have
    not held        WAITING    those of before; it campaigns for the key
    unusable        ALONE      all
"""

from __future__ import annotations

from collections.abc import Set
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from pyconsul.tools.template.dedup.document import DocumentError, is_shareable, unpack

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.feed.records import KeyPair

#: Time for another instance to become the leader and share its first answers; after it an instance queries Consul itself.
GRACE_S = 5.0


class Role(StrEnum):
    """The role of an instance in a share."""

    WAITING = "waiting"
    LEADER = "leader"
    FOLLOWER = "follower"
    ALONE = "alone"


class Share:
    """One share as this instance sees it. `now`: seconds of any clock."""

    def __init__(self, now: float) -> None:
        self.role = Role.WAITING
        self._since = now
        self._right_at: float | None = None  # when the shared data were last known to be right; None: unknown
        self._bodies: dict[Lookup, bytes] = {}
        #: The answers of the leader's latest document.
        self.answers: dict[Lookup, Any] = {}
        #: The host that wrote it.
        self.leader = ""
        #: The session of another instance that holds the key, or "".
        self.holder = ""
        #: Why an instance is alone.
        self.problem = ""
        #: Whether no session holds the key.
        self.vacant = False
        #: Whether the key lacks the document that we, the leader, have published.
        self.is_unpublished = False

    def update(self, pair: KeyPair | None, session: str, now: float) -> set[Lookup]:
        """Take the key as it is now; `session`: our own, "" for none. Returns the lookups whose shared answers have changed."""
        self.vacant = pair is None or not pair.Session
        self.holder = pair.Session if pair is not None and pair.Session != session else ""
        self.is_unpublished = False
        if pair is None or self.vacant:
            self._wait(now)
        elif pair.Session == session:
            self.is_unpublished = not pair.Value
            self._become(Role.LEADER)
        elif not pair.Value:
            self._wait(now)
        else:
            return self._read(pair.Value)
        return set()

    def check_wait(self, now: float, *, reachable: bool) -> None:
        """Check whether this instance has waited too long; the time does not count while Consul does not answer."""
        if self.role is not Role.WAITING:
            return
        if not reachable:
            self._since = now
        elif now >= self._since + GRACE_S:
            self._be_alone(f"{self.leader} shares no answers any more" if self.leader else "no instance shares answers")

    def note_age(self, age_s: float | None, now: float) -> None:
        """Note how old the leader's data are; None: unknown. Without a leader, what it had shared goes on aging."""
        if self.role is Role.FOLLOWER:
            self._right_at = None if age_s is None else now - age_s
        elif self.role is not Role.WAITING:
            self._right_at = None

    def data_age_s(self, now: float) -> float | None:
        """Return the seconds since the shared data was last known to be right; None for own queries, or when unknown."""
        return None if self._right_at is None else max(now - self._right_at, 0.0)

    @property
    def deadline(self) -> float | None:
        """When to check again; None: not before a change."""
        return self._since + GRACE_S if self.role is Role.WAITING else None

    def own_lookups(self, wanted: Set[Lookup], asked: Set[Lookup]) -> set[Lookup]:
        """Return those of a template's lookups that this instance queries; `asked`: those that it queries now."""
        match self.role:
            case Role.FOLLOWER:
                return set(wanted - self.answers.keys())
            case Role.WAITING:
                return {lookup for lookup in wanted if lookup in asked or not is_shareable(lookup)}
        return set(wanted)

    def _wait(self, now: float) -> None:
        if self.role in (Role.LEADER, Role.FOLLOWER):
            self.role, self._since = Role.WAITING, now

    def _become(self, role: Role) -> None:
        self.role, self.problem = role, ""
        if role is Role.LEADER:
            self._bodies, self.answers, self.leader = {}, {}, ""

    def _be_alone(self, problem: str) -> None:
        self.role, self.problem = Role.ALONE, problem
        self._bodies, self.answers = {}, {}

    def _read(self, value: str) -> set[Lookup]:
        try:
            document = unpack(value.encode("utf-8", "surrogateescape"))
            changed = {lookup for lookup, body in document.bodies.items() if self._bodies.get(lookup) != body}
            answers = {lookup: lookup.decode(msgspec.json.decode(document.bodies[lookup])) for lookup in changed}
        except (DocumentError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            self._be_alone(f"the shared document cannot be used: {error}")
            return set()
        if document.problem:
            self._be_alone(document.problem)
            return set()
        self.leader = document.host
        self._bodies = dict(document.bodies)
        self.answers = {lookup: answer for lookup, answer in self.answers.items() if lookup in self._bodies} | answers
        self._become(Role.FOLLOWER)
        return changed
