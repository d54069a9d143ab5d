"""One rule of a policy."""

from __future__ import annotations

import msgspec

from pyconsul.agent.acl.access import NAMES, SINGLE


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
