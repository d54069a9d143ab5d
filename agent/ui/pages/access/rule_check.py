"""Checks the rules of a policy while they are written: the line of the error, or a summary of what they grant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyconsul.agent.acl.parse import FAILED, RuleError, parse_rules, unknown_rules
from pyconsul.agent.acl.rules import NAMES, SINGLE, Rule

SHOWN = 12  # rules of a summary
#: Consul's text of a level that is not known: its keyword, the name of the rule, and the level.
INVALID = re.compile(
    r"^Invalid (\w+)( intentions)? policy: "
    r'(?:&acl\.\w+\{\w+:("(?:[^"\\]|\\.)*"), Policy:"([^"]*)"(?:, Intentions:"([^"]*)")?|"([^"]*)"$)'
)


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """The result for some rules.

    error: the reason why they cannot be used, "" if they can.   line: of the error, 0 if it is not known.
    excerpt: that line with its neighbors, as (number, text).   hints: for rules that have no effect.   grants: in words.
    """

    error: str = ""
    line: int = 0
    excerpt: tuple[tuple[int, str], ...] = ()
    hints: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    more: int = 0

    @property
    def reason(self) -> str:
        """Return the error with its line."""
        return f"line {self.line}: {self.error}" if self.line else self.error


def check_rules(text: str) -> RuleCheck:
    """Return what is wrong with rules, or what they grant."""
    try:
        rules = parse_rules(text)
        hints = tuple(unknown_rules(text))
    except RuleError as error:
        reason, line = _in_place(str(error), error.line, text)
        return RuleCheck(reason, line, _excerpt(text, line))
    grants = in_words(rules)
    return RuleCheck(hints=hints, grants=tuple(grants[:SHOWN]), more=max(0, len(grants) - SHOWN))


def _in_place(reason: str, line: int, text: str) -> tuple[str, int]:
    """Return an error without the structures of Consul's text, and the line of the word that is wrong."""
    found = INVALID.search(reason)
    if found is None:
        return reason.removeprefix(FAILED), line
    keyword, of_intentions, name, policy, intentions, plain = found.groups()
    wrong = plain if plain is not None else intentions if of_intentions else policy
    levels = (
        "read, list, write or deny" if keyword.startswith("key") and keyword != "keyring" else "read, write or deny"
    )
    lines = text.splitlines()
    place = next((at for at in range(max(line, 1), len(lines) + 1) if f'"{wrong}"' in lines[at - 1]), line)
    subject = f"{keyword} {name}" if name else keyword
    return f'{subject}:{of_intentions or ""} "{wrong}" is not a level; allowed are {levels}', place


def in_words(rules: Sequence[Rule]) -> list[str]:
    """Return a line for each rule: `write: keys below "app/"`."""
    return [f"{NAMES[rule.level]}: {_subject(rule)}" for rule in rules]


def _subject(rule: Rule) -> str:
    if rule.kind in SINGLE:
        return rule.kind
    if not rule.prefix:
        return f'{rule.kind} "{rule.name}"'
    noun = "queries" if rule.kind == "query" else rule.kind + "s"
    if rule.name:
        return f'{noun} that begin with "{rule.name}"'
    return f"all {noun}"


def _excerpt(text: str, line: int) -> tuple[tuple[int, str], ...]:
    lines = text.splitlines()
    if not 0 < line <= len(lines):
        return ()
    first = max(1, line - 1)
    return tuple((number, lines[number - 1][:200]) for number in range(first, min(line + 1, len(lines)) + 1))
