"""The translator of RE2's syntax to that of Python's `re`: one pass over the expression, checking as it goes.

Flags are applied where they hold: `i` wraps each atom (`(?i:x)`), `s`, `m` and `U` choose how `.`, `^`, `$` and
quantifiers are written. So `a(?i)b|c` means in Python what it means in Go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import NoReturn

from pyconsul.tools.template.go.errors import GoError

_REPEAT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_FLAGS = re.compile(r"\(\?([imsU]*)(-[imsU]+)?([:)])")
_NAMED = re.compile(r"\(\?P?<([A-Za-z0-9_]+)>")
_HEX = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})")
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_UNICODE = re.compile(r"\\([pP])(?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))")
_PERL = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_NOT_PERL = {"D": "d", "W": "w", "S": "s"}
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_CONTROL = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_POSIX_CLASS = re.compile(r"\[:(\^?)(\w+):\]")
_MAX_REPEAT = 1000
_MAX_DEPTH = 250


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags that hold at a place: case, multi-line, dot matches newline, ungreedy."""

    i: bool = False
    m: bool = False
    s: bool = False
    U: bool = False


@dataclass
class _Translator:
    pattern: str
    at: int = 0
    flags: Flags = Flags()
    outer: list[Flags] = field(default_factory=list)  # of the groups around
    names: list[str] = field(default_factory=list)  # of the groups that capture, "" for none
    out: list[str] = field(default_factory=list)
    repeatable: bool = False  # whether the last piece is an atom

    def run(self) -> str:
        while self.at < len(self.pattern):
            self.piece(self.pattern[self.at])
        if self.outer:
            self.fail("missing closing )", self.pattern)
        return "".join(self.out)

    def fail(self, problem: str, part: str) -> NoReturn:
        raise GoError(f"error parsing regexp: {problem}: `{part}`")

    def piece(self, character: str) -> None:
        if character == "(":
            self.open_group()
        elif character == ")":
            self.close_group()
        elif character == "|":
            self.write("|", 1, repeatable=False)
        elif character in "*+?":
            self.quantifier(1, character)
        elif character == "{" and (match := _REPEAT.match(self.pattern, self.at)):
            self.counted(match)
        elif character == "[":
            self.atom(self.character_class())
        elif character == "\\":
            self.escape()
        elif character in "^$":
            self.anchor(character)
        elif character == ".":
            self.at += 1
            self.atom("(?s:.)" if self.flags.s else r"[^\n]")
        else:
            self.at += 1
            self.atom(re.escape(character))

    def write(self, text: str, length: int, repeatable: bool) -> None:
        self.out.append(text)
        self.at += length
        self.repeatable = repeatable

    def atom(self, text: str) -> None:
        self.write(f"(?i:{text})" if self.flags.i else text, 0, repeatable=True)

    def anchor(self, character: str) -> None:
        # Empty matches may be repeated in RE2, too.
        lone = {"^": r"(?:\A)", "$": r"(?:\Z)"}
        self.write(f"(?m:{character})" if self.flags.m else lone[character], 1, repeatable=True)

    # Groups

    def open_group(self) -> None:
        start = self.at
        if not self.pattern.startswith("(?", start):
            self.names.append("")
            self.push("(", 1)
        elif match := _NAMED.match(self.pattern, start):
            # Python does not allow all names that Go does; so they are kept apart.
            self.names.append(match.group(1))
            self.push("(", len(match.group()))
        elif (match := _FLAGS.match(self.pattern, start)) and (
            match.group(1) or match.group(2) or match.group(3) == ":"
        ):
            self.flag_group(match)
        else:
            self.fail("invalid or unsupported Perl syntax", self.pattern[start : start + 3])

    def flag_group(self, match: re.Match[str]) -> None:
        on, off = match.group(1), (match.group(2) or "")[1:]
        changed = replace(self.flags, **dict.fromkeys(on, True)) if on else self.flags
        changed = replace(changed, **dict.fromkeys(off, False)) if off else changed
        if match.group(3) == ":":
            self.push("(?:", len(match.group()))
        else:
            self.write("", len(match.group()), repeatable=False)
        self.flags = changed

    def push(self, text: str, length: int) -> None:
        if len(self.outer) >= _MAX_DEPTH:
            self.fail("expression nests too deeply", self.pattern)
        self.outer.append(self.flags)
        self.write(text, length, repeatable=False)

    def close_group(self) -> None:
        if not self.outer:
            self.fail("unexpected )", self.pattern)
        self.flags = self.outer.pop()
        self.write(")", 1, repeatable=True)

    # Quantifiers

    def counted(self, match: re.Match[str]) -> None:
        least = int(match.group(1))
        most = int(match.group(3)) if match.group(3) else least
        if max(least, most) > _MAX_REPEAT or most < least:
            self.fail("invalid repeat count", match.group())
        self.quantifier(len(match.group()), match.group())

    def quantifier(self, length: int, text: str) -> None:
        if not self.repeatable:
            before = self.pattern[: self.at]
            nested = re.search(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??$", before)
            if nested and self.out and self.out[-1] != r"\?":
                self.fail("invalid nested repetition operator", nested.group() + text)
            self.fail("missing argument to repetition operator", text)
        self.at += length
        lazy = self.pattern.startswith("?", self.at)
        self.at += lazy
        self.write(text + ("?" if lazy != self.flags.U else ""), 0, repeatable=False)

    # Escapes and classes

    def escape(self) -> None:
        following = self.pattern[self.at + 1 : self.at + 2]
        if following == "Q":
            end = self.pattern.find(r"\E", self.at + 2)
            literal = self.pattern[self.at + 2 : end if end >= 0 else None]
            self.at = end + 2 if end >= 0 else len(self.pattern)
            for character in literal:
                self.atom(re.escape(character))
        elif following in ("A", "z", "b", "B"):
            text = {"A": r"(?:\A)", "z": r"(?:\Z)", "b": r"(?a:\b)", "B": r"(?a:\B)"}[following]
            self.write(text, 2, repeatable=True)
        else:
            item = self.class_escape()
            self.atom(item if item.startswith("\\") and "-" not in item and len(item) < 3 else f"[{item}]")

    def class_escape(self) -> str:
        """An escape as it stands in a class: one character, or a set."""
        following = self.pattern[self.at + 1 : self.at + 2]
        if following in _PERL:
            self.at += 2
            return _PERL[following]
        if following in _NOT_PERL:
            self.at += 2
            return complement(_PERL[_NOT_PERL[following]])
        if match := _UNICODE.match(self.pattern, self.at):
            self.at = match.end()
            negated = (match.group(1) == "P") != (match.group(2) == "^")
            return rf"\{'P' if negated else 'p'}{{{match.group(3) or match.group(4)}}}"
        return member(self.escaped_character())

    def escaped_character(self) -> str:
        """The character that an escape stands for."""
        following = self.pattern[self.at + 1 : self.at + 2]
        if not following:
            self.fail("trailing backslash at end of expression", "")
        if match := _HEX.match(self.pattern, self.at):
            code = int(match.group(1) or match.group(2), 16)
            if code <= 0x10FFFF:
                self.at = match.end()
                return chr(code)
        elif match := _OCTAL.match(self.pattern, self.at):
            self.at = match.end()
            return chr(int(match.group(1), 8))
        elif following in _CONTROL or (following.isascii() and not following.isalnum()):
            self.at += 2
            return _CONTROL.get(following, following)
        return self.fail("invalid escape sequence", self.pattern[self.at : self.at + 2])

    def character_class(self) -> str:
        start = self.at
        self.at += 1
        negated = self.pattern.startswith("^", self.at)
        self.at += negated
        items: list[str] = []
        first = True
        while first or not self.pattern.startswith("]", self.at):
            if self.at >= len(self.pattern):
                self.fail("missing closing ]", self.pattern[start:])
            items.append(self.class_item(start))
            first = False
        self.at += 1
        return f"[{'^' if negated else ''}{''.join(items)}]"

    def class_item(self, start: int) -> str:
        if match := _POSIX_CLASS.match(self.pattern, self.at):
            if match.group(2) not in _POSIX:
                self.fail("invalid character class range", match.group())
            self.at = match.end()
            known = _POSIX[match.group(2)]
            return complement(known) if match.group(1) else known
        if self.pattern.startswith("\\", self.at) and self.pattern[self.at + 1 : self.at + 2] in tuple("dDwWsSpP"):
            return self.class_escape()
        low = self.class_character(start)
        is_range = self.pattern.startswith("-", self.at) and self.pattern[self.at + 1 : self.at + 2] not in ("]", "")
        if not is_range:
            return member(low)
        begin = self.at - len(low)
        self.at += 1
        high = self.class_character(start)
        if high < low:
            self.fail("invalid character class range", self.pattern[begin : self.at])
        return f"{member(low)}-{member(high)}"

    def class_character(self, start: int) -> str:
        if self.at >= len(self.pattern):
            self.fail("missing closing ]", self.pattern[start:])
        if self.pattern[self.at] == "\\":
            return self.escaped_character()
        self.at += 1
        return self.pattern[self.at - 1]


def member(character: str) -> str:
    """A character as it stands in a class of Python's."""
    return re.escape(character) if character.isascii() and not character.isalnum() else character


def complement(ranges: str) -> str:
    """The ranges of all characters that are not in a set of ASCII ones."""
    inside = re.compile(f"[{ranges}]")
    outside = [chr(code) for code in range(128) if not inside.match(chr(code))]
    return "".join(map(member, outside)) + "\x80-\U0010ffff"


def translate(pattern: str) -> tuple[str, list[str]]:
    """An RE2 expression as Python writes it, and its groups' names. Raises GoError for what RE2 does not allow."""
    translator = _Translator(pattern)
    return translator.run(), translator.names
