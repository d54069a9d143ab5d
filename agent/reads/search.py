"""Search over names: services, nodes, keys, prepared queries, and what belongs to access control; only what the caller may see.

Matches are ranked: the whole name, its beginning, the beginning of a word in it, any part of it.  Case does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, nsmallest
from itertools import chain, islice
from typing import NamedTuple, TypeAlias
from weakref import ReferenceType, ref

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.reads import queries
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.reads.visibility import sees_instance
from pyconsul.agent.state.acl.tables import AUTH_METHODS, POLICIES, ROLES, TOKENS
from pyconsul.agent.state.acl.tokens import lives
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import KV, NODES, SERVICES

EXACT, BEGINNING, WORD, PART = range(4)
MAX_KEYS = 2_000  # keys with the text that are ranked
MAX_RULES = 1_000  # rules of a caller that are looked through for the keys that it may read
KINDS = ("service", "node", "key", "query", "policy", "role", "token", "auth method")  # in this order among equals


class Match(NamedTuple):
    """Something that was found.  Sorts by how well it fits.

    rank: EXACT … PART.   order: of its kind.   key: what its page is found by.   detail: more about it.
    """

    rank: int
    order: int
    length: int
    name: str
    kind: str
    key: str
    detail: str


#: How well a name fits, its length, and the name: sorts the best first.
Candidate: TypeAlias = tuple[int, int, str]
#: Makes the match of a candidate; None for what the caller may not see.
Show: TypeAlias = Callable[[int, str], Match | None]


def rank_of(wanted: str, name: str) -> int | None:
    """Return how well a name in lower case fits; None if it does not."""
    at = name.find(wanted)
    if at < 0:
        return None
    if at == 0:
        return EXACT if len(name) == len(wanted) else BEGINNING
    while at > 0:
        if not name[at - 1].isalnum():
            return WORD
        at = name.find(wanted, at + 1)
    return PART


def _match(rank: int, kind: str, name: str, key: str = "", detail: str = "") -> Match:
    return Match(rank, KINDS.index(kind), len(name), name, kind, key or name, detail)


def _best(candidates: list[Candidate], limit: int, show: Show) -> list[Match]:
    """Return the best matches; permissions are asked for only of what would be shown."""
    heapify(candidates)
    found: list[Match] = []
    while candidates and len(found) < limit:
        rank, _, name = heappop(candidates)
        match = show(rank, name)
        if match is not None:
            found.append(match)
    return found


def _ranked(wanted: str, names: Iterable[str]) -> list[Candidate]:
    return [(rank, len(name), name) for name in names if (rank := rank_of(wanted, name.lower())) is not None]


def _services(view: View, caller: Authorizer, wanted: str, limit: int) -> list[Match]:
    services = view[SERVICES]

    def show(rank: int, name: str) -> Match | None:
        rows = [row for row in services.by("name", name) if sees_instance(caller, row.node, row.service.service)]
        detail = f"{len(rows)} instances" if len(rows) > 1 else ""
        return _match(rank, "service", rows[0].service.service, detail=detail) if rows else None

    return _best(_ranked(wanted, map(str, services.values_of("name"))), limit, show)


def _nodes(view: View, caller: Authorizer, wanted: str, limit: int) -> list[Match]:
    nodes = view[NODES]
    candidates = _ranked(wanted, (row.node for row in nodes))
    candidates += [(PART, len(row.node), row.node) for row in nodes if row.address.startswith(wanted)]

    def show(rank: int, name: str) -> Match | None:
        row = nodes.get(name.lower())
        if row is None or caller.level("node", name) < READ:
            return None
        return _match(EXACT if row.address == wanted else rank, "node", name, detail=row.address)

    return _best(candidates, limit, show)


def _queries(view: View, caller: Authorizer, wanted: str) -> Iterator[Match]:
    for query in queries.every(view, caller).value:
        rank = rank_of(wanted, query.name.lower()) if query.name else None
        if rank is not None:
            yield _match(rank, "query", query.name, query.id)


def _readable(view: View, caller: Authorizer) -> list[str] | None:
    """Return the keys among which are all that a caller may read; None: all of them."""
    rules = [rule for rule in caller.rights.rules if rule.kind == "key" and rule.level >= READ]
    keys = view[KV]
    if caller.everything or caller.default >= READ or len(rules) > MAX_RULES:
        return None
    found: dict[str, None] = {}
    for rule in rules:
        if rule.prefix:
            found.update(dict.fromkeys(keys.keys(rule.name)))
        elif keys.get(rule.name) is not None:
            found[rule.name] = None
    return list(found)


class KeyText:
    """All keys as one text, with a line for each: one search in it is several times faster than one in each key."""

    __slots__ = ("_keys", "_lowered", "_whole")

    def __init__(self, keys: list[str]) -> None:
        self._keys: list[str] = []
        self._whole = "\n".join(["", *keys, ""])
        self._lowered = self._whole.lower()
        if len(self._lowered) != len(self._whole) or self._whole.count("\n") != len(keys) + 1:
            self._keys = keys  # some have line feeds, or other lengths in lower case
        elif self._lowered == self._whole:
            self._lowered = self._whole

    def containing(self, wanted: str) -> Iterator[str]:
        """Return the keys that contain a text in lower case: those that begin with it first, so some of them twice."""
        if self._keys or "\n" in wanted:
            return (key for key in self._keys if wanted in key.lower())
        return chain(self._lines("\n" + wanted, 1), self._lines(wanted, 0))

    def _lines(self, wanted: str, skipped: int) -> Iterator[str]:
        """Return the lines with a text, each once.  skipped: characters of the text before its line."""
        whole, lowered = self._whole, self._lowered
        at = lowered.find(wanted)
        while at >= 0:
            begin = whole.rfind("\n", 0, at + skipped) + 1
            end = whole.find("\n", begin)
            yield whole[begin:end]
            at = lowered.find(wanted, end)


class Search:
    """Searches a state; the text of all its keys is kept until a key changes."""

    def __init__(self) -> None:
        self._kept: tuple[ReferenceType[View], tuple[int, int], KeyText] | None = None

    def find(self, view: View, caller: Authorizer, text: str, limit: int, now: float) -> Result:
        """Read the best `limit` matches of a text.  now: Unix seconds."""
        wanted = text.strip().lower()
        found: list[Match] = []
        if wanted:
            found += _services(view, caller, wanted, limit)
            found += _nodes(view, caller, wanted, limit)
            found += self._keys(view, caller, wanted, limit)
            found += nsmallest(limit, _queries(view, caller, wanted))
            if caller.allows("acl", READ):
                found += nsmallest(limit, _access(view, wanted, now))
        return Result(sorted(found)[:limit], view.index, (), cacheable=False)

    def _keys(self, view: View, caller: Authorizer, wanted: str, limit: int) -> list[Match]:
        keys = _readable(view, caller)
        text = self._all_keys(view) if keys is None else KeyText(keys)
        found = dict.fromkeys(islice(text.containing(wanted), MAX_KEYS))

        def show(rank: int, name: str) -> Match | None:
            return _match(rank, "key", name) if caller.level("key", name) >= READ else None

        return _best(_ranked(wanted, found), limit, show)

    def _all_keys(self, view: View) -> KeyText:
        stamp = (view.index_of("kvs"), view.restored)
        if self._kept is None or self._kept[0]() is not view or self._kept[1] != stamp:
            self._kept = ref(view), stamp, KeyText(view[KV].keys(""))
        return self._kept[2]


def _access(view: View, wanted: str, now: float) -> Iterator[Match]:
    """Return policies, roles, tokens and auth methods."""
    named = [
        *(("policy", row.name, row.id, row.description) for row in view[POLICIES]),
        *(("role", row.name, row.id, row.description) for row in view[ROLES]),
        *(("auth method", row.name, row.name, row.display_name) for row in view[AUTH_METHODS]),
    ]
    for kind, name, key, detail in named:
        rank = rank_of(wanted, name.lower())
        if rank is not None:
            yield _match(rank, kind, name, key, detail)
    for token in view[TOKENS]:
        if not lives(token, now):
            continue
        ranks = (rank_of(wanted, token.description.lower()), 0 if token.accessor_id.startswith(wanted) else None)
        fitting = [rank for rank in ranks if rank is not None]
        if fitting:
            yield _match(min(fitting), "token", token.description or token.accessor_id[:8], token.accessor_id)
