"""The answers that instances with the same template share: who leads, and what the others are told. Pure.

One key says both: the session that holds it is the leader's, the value is the leader's latest document.

    key             role       asks Consul for
    unknown         WAITING    what it asked for before; ALONE after a while
    held by us      LEADER     everything, and tells it
    … by another    FOLLOWER   what the document does not have
    held by nobody  WAITING    as above; and contends for it
    no use          ALONE      everything
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

#: Seconds that others may take to become the leader and to tell the first answers, before an instance asks itself.
GRACE = 5.0


class Role(StrEnum):
    """What an instance is in the company of those that share."""

    WAITING = "waiting"
    LEADER = "leader"
    FOLLOWER = "follower"
    ALONE = "alone"


class Share:
    """`now`: seconds of any clock."""

    def __init__(self, now: float) -> None:
        self.role = Role.WAITING
        self._since = now
        self._right_at: float | None = None  # when the shared data were last known to be right; None: unknown
        self._bodies: dict[Lookup, bytes] = {}
        #: What the leader's latest document says.
        self.answers: dict[Lookup, Any] = {}
        #: The host that told it.
        self.leader = ""
        #: The session of another instance that holds the key; "" when there is none.
        self.holder = ""
        #: Why an instance is alone.
        self.problem = ""
        #: Whether the key is known to be held by nobody.
        self.vacant = False
        #: Whether the document does not say what we, the leader, have told.
        self.untold = False

    def see(self, pair: KeyPair | None, session: str, now: float) -> set[Lookup]:
        """Return the key as it is now; `session`: our own, "" for none. Returns the lookups whose told answers have changed."""
        self.vacant = pair is None or not pair.Session
        self.holder = pair.Session if pair is not None and pair.Session != session else ""
        self.untold = False
        if pair is None or self.vacant:
            self._wait(now)
        elif pair.Session == session:
            self.untold = not pair.Value
            self._become(Role.LEADER)
        elif not pair.Value:
            self._wait(now)
        else:
            return self._read(pair.Value)
        return set()

    def look(self, now: float, *, reachable: bool) -> None:
        """See whether others have been waited for too long; while Consul does not answer, nobody can tell anything."""
        if self.role is not Role.WAITING:
            return
        if not reachable:
            self._since = now
        elif now >= self._since + GRACE:
            self._be_alone(f"{self.leader} tells nothing any more" if self.leader else "nobody tells anything")

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
        """When to look again; None: not before something changes."""
        return self._since + GRACE if self.role is Role.WAITING else None

    def own(self, wanted: Set[Lookup], asked: Set[Lookup]) -> set[Lookup]:
        """What to ask Consul for, of what a template wants; `asked`: what is asked for now."""
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
            self._be_alone(f"what is shared cannot be used: {error}")
            return set()
        if document.problem:
            self._be_alone(document.problem)
            return set()
        self.leader = document.host
        self._bodies = dict(document.bodies)
        self.answers = {lookup: answer for lookup, answer in self.answers.items() if lookup in self._bodies} | answers
        self._become(Role.FOLLOWER)
        return changed
