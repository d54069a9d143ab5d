"""Decides whether the bearer of a token has a permission.

An authorizer is made once for a token's policies; then a decision is a look into a dictionary (names that were asked about
before) or a bisection.  No tree of rules is walked, however many instances are filtered.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakSet

from msgspec.structs import replace

from pyconsul.agent.acl.rule_index import RuleIndex
from pyconsul.agent.acl.rules import CASELESS, DENY, NAMED, NAMES, SINGLE, WRITE, Rule, precedence
from pyconsul.agent.model.acl import ANONYMOUS_ID

REMEMBERED = 12 << 20  # bytes of names in all CompiledPolicies together; then all are cleared at once
LONGEST = 256  # characters of a name that is remembered
PER_NAME = 64  # bytes of memory for a name, without its text
NO_RULE = -1  # the level of what no rule is about
CAPPED = -10  # added to a level: the default policy decides, but gives no more than that level


class Forbidden(Exception):
    """A request that is refused because of its token; the text is Consul's."""


class PermissionDenied(Forbidden):
    """The caller lacks a permission."""


class UnknownToken(Forbidden):
    """The token does not exist, or it has expired."""

    def __init__(self, text: str = "ACL not found") -> None:
        super().__init__(text)


class DecisionBudget:
    """Bounds the memoized decisions of all CompiledPolicies; clears all of them when the limit is exceeded."""

    __slots__ = ("_known", "_left", "_limit")

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = self._left = limit
        self._known: WeakSet[CompiledPolicies] = WeakSet()

    def follow(self, rights: CompiledPolicies) -> None:
        """Include the decisions of these policies in the limit."""
        self._known.add(rights)

    def note(self, name: str) -> None:
        """Another name is remembered."""
        self._left -= name.__sizeof__() + PER_NAME
        if self._left < 0:
            self._left = self._limit
            for rights in self._known:
                for levels in rights.levels.values():
                    levels.clear()


class CompiledPolicies:
    """The permissions that a set of policies grants, shared by all tokens with the same policies.

    levels: by resource, the level that was found for each name that was asked about.
    """

    __slots__ = ("__weakref__", "folded", "levels", "lookups", "memory", "rules", "singles")

    def __init__(self, rules: Sequence[Rule], memory: DecisionBudget | None = None) -> None:
        self.rules = rules
        self.levels: dict[str, dict[str, int]] = {kind: {} for kind in NAMED}
        self.join(memory or DecisionBudget())
        by_kind: dict[str, list[Rule]] = {kind: [] for kind in NAMED}
        self.singles: dict[str, Rule] = {}
        for rule in rules:
            if rule.kind in by_kind:
                by_kind[rule.kind].append(rule)
                continue
            old = self.singles.get(rule.kind)
            if old is None or precedence(rule.level) > precedence(old.level):
                self.singles[rule.kind] = rule
        self.lookups = {kind: RuleIndex(found) for kind, found in by_kind.items()}
        self.folded = {kind: self._fold(kind, by_kind[kind]) for kind in CASELESS}

    def join(self, memory: DecisionBudget) -> None:
        """Count what these rights remember together with others'."""
        self.memory = memory
        memory.follow(self)

    def _fold(self, kind: str, rules: Sequence[Rule]) -> RuleIndex:
        """Return the rules of a resource with names in lower case; the same object when they are so already."""
        if all(rule.name == rule.name.lower() for rule in rules):
            return self.lookups[kind]
        return RuleIndex([replace(rule, name=rule.name.lower()) for rule in rules])

    def find(self, kind: str, name: str) -> int:
        """Return the level of a name, found by the rules and remembered: see `Authorizer.level`.

        Where the store compares names without case, another spelling gives no more than the rules for this one do.
        """
        lookup = self.lookups[kind]
        rule, folded, lower = lookup.find(name), self.folded.get(kind), name.lower()
        level = NO_RULE if rule is None else rule.level
        if folded is not None and (folded is not lookup or lower != name):
            other = folded.find(lower)
            if other is not None:
                level = other.level + CAPPED if rule is None else min(level, other.level)
        if len(name) <= LONGEST:
            self.levels[kind][name] = level
            self.memory.note(name)
        return level


class Authorizer:
    """The rights of one token, and what holds where they say nothing.

    accessor: the token's public ID.   everything: access control is off; nothing is refused or filtered.
    """

    __slots__ = ("_levels", "_single", "accessor", "default", "everything", "rights")

    def __init__(self, accessor: str, rights: CompiledPolicies, default_allow: bool, everything: bool = False) -> None:
        self.accessor, self.rights, self.everything = accessor, rights, everything
        self.default = WRITE if default_allow else DENY
        # Where everything is allowed no names are looked at, and none remembered.
        self._levels = {} if everything else rights.levels
        self._single = {kind: self._level_of(kind) for kind in (NAMED + SINGLE if everything else SINGLE)}

    def _level_of(self, kind: str) -> int:
        rule = self.rights.singles.get(kind)
        if rule is not None:
            return rule.level
        if kind in ("mesh", "peering"):
            return self._level_of("operator")
        # Access management never follows the default policy.
        return WRITE if self.everything else DENY if kind == "acl" else self.default

    def level(self, kind: str, name: str = "") -> int:
        """Return the level that is given for a name, or for a resource that has none."""
        known = self._levels.get(kind)
        if known is None:
            return self._single[kind]
        level = known.get(name)
        if level is None:
            level = self.rights.find(kind, name)
        if level >= 0:
            return level
        return self.default if level == NO_RULE else min(self.default, level - CAPPED)

    def allows(self, kind: str, wanted: int, name: str = "") -> bool:
        """Return whether a level is given."""
        return self.level(kind, name) >= wanted

    def allows_prefix(self, kind: str, wanted: int, prefix: str) -> bool:
        """Return whether a level is given for all names that begin so, as far as prefixes say."""
        rule = self.rights.lookups[kind].of_prefix(prefix)
        return (self.default if rule is None else rule.level) >= wanted

    def allows_tree(self, prefix: str) -> bool:
        """Return whether every key that begins so may be written: no rule below says otherwise."""
        return self.allows_prefix("key", WRITE, prefix) and not self.rights.lookups["key"].refused_below(prefix)

    def require(self, kind: str, wanted: int, name: str = "") -> None:
        """Raises PermissionDenied unless a level is given."""
        if self.level(kind, name) < wanted:
            raise self.denial(kind, wanted, name)

    def require_tree(self, prefix: str) -> None:
        """Raises PermissionDenied unless all keys that begin so may be written."""
        if not self.allows_tree(prefix):
            raise self.denial("key", WRITE, prefix)

    def denial(self, kind: str, wanted: int, name: str = "") -> PermissionDenied:
        """Return the refusal with the text that clients know."""
        on = f' on "{name}"' if name else ""
        what = f"lacks permission '{kind}:{NAMES[wanted]}'{on}"
        if self.anonymous:
            return PermissionDenied(
                f"Permission denied: anonymous token {what}. "
                "The anonymous token is used implicitly when a request does not specify a token."
            )
        return PermissionDenied(f"Permission denied: token with AccessorID '{self.accessor}' {what}")

    @property
    def anonymous(self) -> bool:
        return self.accessor == ANONYMOUS_ID


#: The caller while access control is off.
EVERYTHING = Authorizer("", CompiledPolicies(()), True, everything=True)
