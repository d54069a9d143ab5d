"""Finds the rule for a name: the one for exactly it, else the one with the longest prefix.

Prefixes are sorted, and each knows the longest other one that it begins with.  The prefix that stands right before a name
is then its longest one, or leads to it; so a search is a bisection, however many rules there are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from pyconsul.agent.acl.rules import WRITE, Rule, precedence


class RuleIndex:
    """The rules of one resource.  Of rules for the very same thing the one that takes precedence is kept."""

    __slots__ = ("_exact", "_not_write", "_parents", "_prefixes", "_rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._exact: dict[str, Rule] = {}
        prefixes: dict[str, Rule] = {}
        for rule in rules:
            table = prefixes if rule.prefix else self._exact
            old = table.get(rule.name)
            if old is None or precedence(rule.level) > precedence(old.level):
                table[rule.name] = rule
        self._prefixes = sorted(prefixes)
        self._rules = [prefixes[name] for name in self._prefixes]
        self._parents = _parents(self._prefixes)
        kept = (*self._exact.values(), *self._rules)
        self._not_write = sorted(rule.name for rule in kept if rule.level < WRITE)

    def find(self, name: str) -> Rule | None:
        """Return the rule that decides about a name."""
        found = self._exact.get(name)
        return found if found is not None else self.of_prefix(name)

    def of_prefix(self, name: str) -> Rule | None:
        """Return the rule with the longest prefix that a name begins with."""
        prefixes = self._prefixes
        at = bisect_right(prefixes, name) - 1
        while at >= 0:
            if name.startswith(prefixes[at]):
                return self._rules[at]
            at = self._parents[at]
        return None

    def refused_below(self, prefix: str) -> bool:
        """Return whether any rule for a name that begins with a prefix, or for that prefix, gives less than write."""
        names = self._not_write
        at = bisect_left(names, prefix)
        return at < len(names) and names[at].startswith(prefix)

    def any(self, level: int) -> bool:
        """Return whether some name is given a level."""
        return any(rule.level >= level for rule in (*self._exact.values(), *self._rules))


def _parents(names: list[str]) -> list[int]:
    """For each of the sorted names, where the longest other one stands that it begins with; -1: there is none."""
    parents: list[int] = []
    open_names: list[int] = []
    for at, name in enumerate(names):
        while open_names and not name.startswith(names[open_names[-1]]):
            open_names.pop()
        parents.append(open_names[-1] if open_names else -1)
        open_names.append(at)
    return parents
