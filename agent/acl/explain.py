"""Says why something is allowed or refused: which rule of which policy decided, and the smallest rule that would allow it.

The decision is computed again in the simplest way, independent of the fast path; tests compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import CASELESS, DENY, NAMES, SINGLE, WRITE, Rule, may, precedence


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision.

    rule: what decided; None: the default policy.   others: further rules that apply to the resource and did not decide.
    needed: a rule that would allow it, "" when it is allowed.   obstacle: the rule that would still deny it.
    """

    allowed: bool
    kind: str
    wanted: int
    name: str
    rule: Rule | None
    others: tuple[Rule, ...]
    default_allow: bool
    needed: str = ""
    obstacle: Rule | None = None

    def words(self) -> str:
        """Return the decision in one or more sentences."""
        what = f"{self.kind}:{NAMES[self.wanted]}" + (f' on "{self.name}"' if self.name else "")
        text = f"{what} is {'allowed' if self.allowed else 'denied'}: {self._because()}."
        if self.obstacle is not None:
            return (
                f"{text} To allow it, change {_place(self.obstacle)}: a rule that denies is not outweighed by another."
            )
        return f"{text} The smallest rule that allows it: {self.needed}" if self.needed else text

    def _because(self) -> str:
        if self.rule is None:
            default = "allow" if self.default_allow else "deny"
            if self.kind == "acl":
                return "no rule says anything about acl, and the default policy never gives it"
            return f"no rule applies, and the default policy is {default}"
        how = "the rule" if self.rule.kind in SINGLE else "the rule for exactly this name"
        if self.rule.prefix:
            how = f'the longest prefix, "{self.rule.name}"'
        return f"{how} in {_place(self.rule)} says {NAMES[self.rule.level]}"


def _place(rule: Rule) -> str:
    return f'policy "{rule.policy}"' + (f", line {rule.line}" if rule.line else "")


def explain(authorizer: Authorizer, kind: str, wanted: int, name: str) -> Decision:
    """Return why an authorizer decides as it does; `kind` and `wanted` as `access.parse_permission` gives them."""
    applying = _applying(authorizer.rights.rules, kind, name)
    alike = _applying(_without_case(authorizer.rights.rules, kind), kind, name.lower() if kind in CASELESS else name)
    if alike and alike[0].level < (applying[0].level if applying else authorizer.default):
        applying = alike  # rules for another spelling of the name give less
    rule = applying[0] if applying else None
    level = rule.level if rule else authorizer.level(kind, name)
    allowed = may(level, wanted)
    needed, obstacle = "", None
    if not allowed:
        new = Rule(kind, "" if kind in SINGLE else name, False, wanted)
        needed = str(new)
        (place,) = _without_case([new], kind)
        obstacle = next((one for one in alike if _same_place(one, place) and one.level == DENY), None)
    return Decision(
        allowed=allowed,
        kind=kind,
        wanted=wanted,
        name="" if kind in SINGLE else name,
        rule=rule,
        others=tuple(applying[1:]),
        default_allow=authorizer.default == WRITE,
        needed="" if obstacle else needed,
        obstacle=obstacle,
    )


def _without_case(rules: Sequence[Rule], kind: str) -> list[Rule]:
    """Return the rules as the store compares the names of a resource."""
    return [replace(rule, name=rule.name.lower()) for rule in rules] if kind in CASELESS else list(rules)


def _same_place(one: Rule, other: Rule) -> bool:
    return one.name == other.name and one.prefix == other.prefix


def _applying(rules: Sequence[Rule], kind: str, name: str) -> list[Rule]:
    """Return the rules that apply, the one that decides first: exact before prefix, longer before shorter, then by precedence."""
    kinds = [kind, "operator"] if kind in ("mesh", "peering") else [kind]
    found: list[Rule] = []
    for one in kinds:
        fitting = [rule for rule in rules if rule.kind == one and (one in SINGLE or _fits(rule, name))]
        found += sorted(fitting, key=lambda rule: (rule.prefix, -len(rule.name), -precedence(rule.level)))
    return found


def _fits(rule: Rule, name: str) -> bool:
    return name.startswith(rule.name) if rule.prefix else name == rule.name
