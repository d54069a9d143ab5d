"""Reads rules in the plain form that nearly all policies have, without the HCL parser.

The parser needs about a millisecond for a rule; a policy of 100 rules in this form is read here in a tenth of one.  Only
whole texts made of `key "a" { policy = "read" }`, `acl = "read"`, blanks and comments are taken; anything else, errors
above all, is for the parser, which knows the language.  A test holds both to the same answers.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

_GAP = r"(?:[ \t\r\n]|\#[^\n]*(?=\n)|//[^\n]*(?=\n))*"
_RULE = re.compile(
    rf"""{_GAP}(?P<kind>[a-z_]+)[ \t]*
    (?: = [ \t]* "(?P<single>[a-z]*)"
      | "(?P<name>[^"\\\n$%]*)" [ \t]* \{{ {_GAP} policy [ \t]* = [ \t]* "(?P<policy>[a-z]*)" {_GAP}
        (?: intentions [ \t]* = [ \t]* "(?P<intentions>[a-z]*)" {_GAP} )? \}} )
    (?=[ \t\r\n]|\Z) (?P<rest>[ \t\r]*(?:\n|\Z)?)""",
    re.VERBOSE,
)
_REST = re.compile(rf"{_GAP}(?:\#[^\n]*|//[^\n]*)?\Z")


class Plain(NamedTuple):
    """A rule as it was read: its keyword, its name (None for `acl = …`), its body, and its line."""

    keyword: str
    name: str | None
    body: dict[str, Any] | str
    line: int


def read_plain(text: str) -> list[Plain] | None:
    """Return the rules of a text that is in plain form; None when it is not."""
    found: list[Plain] = []
    position, line, counted = 0, 1, 0
    single: set[str] = set()
    while match := _RULE.match(text, position):
        start = match.start("kind")
        line += text.count("\n", counted, start)
        counted, position = start, match.end()
        keyword, name = match["kind"], match["name"]
        if name is None:
            if keyword in single:
                return None
            single.add(keyword)
            found.append(Plain(keyword, None, match["single"], line))
        else:
            body = {"policy": match["policy"]}
            if match["intentions"] is not None:
                body["intentions"] = match["intentions"]
            found.append(Plain(keyword, name, body, line))
    return found if _REST.match(text, position) else None
