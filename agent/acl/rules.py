"""Resources and levels of ACL rules, and their names (https://developer.hashicorp.com/consul/docs/security/acl/acl-rules)."""

from __future__ import annotations

import msgspec

DENY, READ, LIST, WRITE = 0, 1, 2, 3
LEVELS = {"deny": DENY, "read": READ, "list": LIST, "write": WRITE}
NAMES = {level: name for name, level in LEVELS.items()}

#: Rules of these stand for something by its name, or with `_prefix` for all names that begin so.
NAMED = ("agent", "event", "key", "node", "query", "service", "session")
#: Names of these compare without case in the store, so two spellings are the same thing.
CASELESS = ("agent", "node", "query", "service", "session")
#: Rules of these stand for everything of their kind.
SINGLE = ("acl", "keyring", "mesh", "operator", "peering")


def may(granted: int, wanted: int) -> bool:
    """Return whether a level gives another: write gives list gives read."""
    return granted >= wanted


def precedence(level: int) -> int:
    """Of two rules for the very same thing the higher one holds: deny, then write, list, read."""
    return WRITE + 1 if level == DENY else level


def parse_permission(text: str) -> tuple[str, int]:
    """Return the resource and the level of `key:write`.  Raises ValueError, whose text says what is allowed."""
    kind, _, name = text.partition(":")
    if kind not in NAMED + SINGLE:
        raise ValueError(f"{text!r} names no resource; allowed: {', '.join(sorted(NAMED + SINGLE))}, as in key:write")
    allowed = ("read", "list", "write") if kind == "key" else ("read", "write")
    if name not in allowed:
        raise ValueError(f"{text!r} names no access to {kind}; allowed: {', '.join(f'{kind}:{a}' for a in allowed)}")
    return kind, LEVELS[name]


class Rule(msgspec.Struct, frozen=True, gc=False):  # there may be 100,000, and none refers to another object
    """A rule: what it is about, which level it gives, and where it stands.

    kind: "key", "acl", …   name: what it names, or "" for those that stand for everything.   prefix: for all names that begin so.
    policy: the name of its policy, filled in when the policy is used.   line: where it begins, from 1 (0: not known).
    """

    kind: str
    name: str
    prefix: bool
    level: int
    line: int = 0
    policy: str = ""

    def __str__(self) -> str:
        """As it is written in a policy."""
        if self.kind in SINGLE:
            return f'{self.kind} = "{NAMES[self.level]}"'
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.keyword} "{quoted}" {{ policy = "{NAMES[self.level]}" }}'

    @property
    def keyword(self) -> str:
        """`key` or `key_prefix`."""
        return f"{self.kind}_prefix" if self.prefix else self.kind
