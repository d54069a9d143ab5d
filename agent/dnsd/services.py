"""Digested services, which the responder keeps until they change."""

from __future__ import annotations

from collections.abc import Sequence

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.dnsd import candidates
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.wire.candidate import Candidate
from pyconsul.agent.dnsd.wire.packed import Prepared, Rotation, prepare
from pyconsul.agent.state.contract import View


class Service:
    """The healthy instances of a service, and what was prepared of them for answers."""

    __slots__ = ("_prepared", "_rotations", "found", "ttl")

    def __init__(self, found: tuple[Candidate, ...], ttl: int) -> None:
        self.found, self.ttl = found, ttl
        self._prepared: dict[tuple[int, str, int], Prepared | None] = {}
        self._rotations: dict[str, Rotation] = {}  # by tag

    def tagged(self, tag: str) -> Sequence[Candidate]:
        """Return the instances with a tag; all of them without one."""
        return [one for one in self.found if tag in one.tags] if tag else self.found

    def rotation(self, tag: str) -> Rotation:
        """Return the rotation of the instances with a tag."""
        return self._rotations.setdefault(tag, Rotation())

    def prepared(self, rdtype: int, tag: str, suffix_length: int) -> Prepared | None:
        """Return the prepared records of the instances with a tag; None when they cannot be packed, or there are none."""
        key = (rdtype, tag, suffix_length)
        if key in self._prepared:
            return self._prepared[key]
        tagged = self.tagged(tag)
        if not tagged:
            return None  # the number of unknown tags is unlimited
        items = prepare(tagged, rdtype, self.ttl, suffix_length)
        prepared = self._prepared[key] = Prepared(items, suffix_length) if items else None
        return prepared


def service_of(view: View, name: str, settings: Settings, caller: Authorizer) -> Service:
    """Return a service by its name, as the caller sees it."""
    return Service(candidates.of_service(view, name, settings, caller), settings.ttl_of(name))
