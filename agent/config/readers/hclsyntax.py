"""Finds the mistakes in an HCL text by its tokens, all of them, each with its line, column, line of text and advice.

The parser behind this stops at its first mistake and cannot name it; what is found here is what people get wrong: brackets and
quotes that are not closed, values without quotes, keys without values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

#: Mistakes to report of one text.
MAX_MISTAKES = 10
_WIDTH = 80
_CLOSERS = {"{": "}", "[": "]"}
_WORDS = frozenset(("true", "false", "null"))
_NUMBER = re.compile(r"-?(0[xX][0-9a-fA-F]+|\d+(\.\d+)?([eE][+-]?\d+)?)")
_NAME = re.compile(r"[^\W\d][\w.-]*")
#: A text in quotes; the first group is there when it is a key.
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*(?:"(?=(\s*[:=]))|("|$))', re.MULTILINE)
#: Keys whose values may be secrets: an unquoted value is not shown.
_SECRET = re.compile(r"token|secret|encrypt|password|key|agent|default|replication|management|recovery", re.IGNORECASE)
_SETTING = re.compile(r"([\w.-]+\s*=\s*)([^\s\"{\[,}]+)")


class Token(NamedTuple):
    """A piece of the text; `kind` is a group of the lexer, `start` its position."""

    kind: str
    text: str
    start: int


class Mistake(NamedTuple):
    """`line` and `column` count from 1."""

    line: int
    column: int
    text: str


class HCLError(ValueError):
    """A text that is no HCL."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(f"line {one.line}, column {one.column}: {one.text}" for one in mistakes))


def mistakes(text: str, tokens: Sequence[Token]) -> list[Mistake]:
    """The first mistakes of a text, in order."""
    found = []
    for position, words in sorted(_Reader(text, tokens).find()):
        found.append(mistake(text, position, words))
        if len(found) == MAX_MISTAKES:
            break
    return found


def mistake(text: str, position: int, words: str) -> Mistake:
    """One mistake at a position, with the line it stands in; what is between quotes is not shown, it may be a token."""
    position = min(position, len(text))
    begin = text.rfind("\n", 0, position) + 1
    line = text[begin:].split("\n", 1)[0]
    shown = _STRING.sub(lambda match: match[0] if match[1] or match[0] == '""' else '"…' + match[2], line).strip()
    shown = _SETTING.sub(lambda match: match[1] + "…" if _SECRET.search(match[1]) else match[0], shown)
    if len(shown) > _WIDTH:
        shown = shown[:_WIDTH] + "…"
    excerpt = f": {shown}" if shown else ""
    return Mistake(text.count("\n", 0, position) + 1, position - begin + 1, words + excerpt)


class _Reader:
    """Walks the tokens once. `_expects`: "key", "value" (after `=`), "after" a key, "item" of a list, or "end" of an entry."""

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self._text = text
        self._tokens = [token for token in tokens if token.kind != "blank"]
        # The opening brackets, each with the key it belongs to.
        self._open: list[tuple[Token, str]] = []
        self._expects = "key"
        self._key = ""
        self._word = Token("line", "", 0)
        self._skipping = False  # to the end of a line
        self._found: list[tuple[int, str]] = []

    def find(self) -> list[tuple[int, str]]:
        """(position, words) of each mistake."""
        for token in self._joined():
            self._take(token)
        if self._expects == "value":
            self._add(len(self._text.rstrip()), f"{self._key or 'the key'} has no value")
        for bracket, key in self._open:
            what = f"the block {key} {{" if bracket.text == "{" and key else f'"{bracket.text}"'
            self._add(bracket.start, f"{what} is never closed; it ends with {_CLOSERS[bracket.text]}")
        return self._found

    def _joined(self) -> Iterator[Token]:
        """The tokens, with the characters of numbers and of other words put together."""
        run: list[Token] = []
        for token in self._tokens:
            plain = token.kind == "other" and token.text not in '{}[]=,:"'
            if run and not ((plain or token.kind == "name") and token.start == run[-1].start + len(run[-1].text)):
                yield Token("word", "".join(one.text for one in run), run[0].start)
                run = []
            if plain or run or token.kind == "name":
                run.append(token)
            else:
                yield token
        if run:
            yield Token("word", "".join(one.text for one in run), run[0].start)

    def _add(self, position: int, words: str) -> None:
        self._found.append((position, words))

    def _take(self, token: Token) -> None:
        if token.kind == "line":
            self._take_line(token)
            self._skipping = False
        elif self._skipping:
            pass
        elif token.text == '"':
            self._add(token.start, "the quote is never closed")
            self._expects, self._skipping = "end", True
        elif token.text in ("{", "["):
            self._take_opener(token)
        elif token.text in ("}", "]"):
            self._take_closer(token)
        elif token.text in ("=", ":"):
            self._take_equals(token)
        elif token.text == ",":
            if self._expects in ("value", "after", "label"):
                self._add(token.start, f"{self._key} has no value")
            self._expects = "item" if self._in_list() else "key"
        else:
            self._take_word(token)

    def _take_line(self, token: Token) -> None:
        if self._expects == "value":
            self._add(token.start, f"{self._key} has no value; it must begin on the same line")
        elif self._expects in ("after", "label"):
            self._add(token.start, f"{self._key} must be followed by = and a value, or by a block in braces")
        if not self._in_list():
            self._expects = "key"

    def _take_equals(self, token: Token) -> None:
        if self._in_list() and self._expects == "end":
            # A key in a list: the list was not closed before it.
            bracket, key = self._open.pop()
            self._found = [one for one in self._found if one[0] != self._word.start]
            self._add(bracket.start, f"the list of {key or 'this block'} is never closed; it ends with ]")
            self._key = self._word.text.strip('"')
        elif self._expects not in ("after", "label"):
            self._add(token.start, f'there is no key before "{token.text}"')
        self._expects = "value"

    def _take_opener(self, token: Token) -> None:
        allowed = ("value", "after", "label", "item") if token.text == "{" else ("value", "item")
        if self._expects not in allowed:
            self._add(
                token.start, f'"{token.text}" has no key' if self._expects == "key" else f'unexpected "{token.text}"'
            )
        self._open.append((token, "" if self._expects == "item" else self._key))
        self._expects = "key" if token.text == "{" else "item"

    def _take_closer(self, token: Token) -> None:
        if self._expects in ("value", "after", "label"):
            self._add(token.start, f"{self._key} has no value")
        if not self._open:
            self._add(token.start, f'"{token.text}" closes nothing')
        else:
            bracket, _ = self._open.pop()
            if _CLOSERS[bracket.text] != token.text:
                line = self._text.count("\n", 0, bracket.start) + 1
                self._add(token.start, f'"{token.text}" does not close the "{bracket.text}" of line {line}')
        self._expects = "end"

    def _take_word(self, token: Token) -> None:
        self._word = token
        quoted = token.kind in ("string", "heredoc")
        if self._expects in ("value", "item"):
            if not quoted and token.text not in _WORDS and not _NUMBER.fullmatch(token.text):
                self._add(token.start, self._unquoted(token.text))
            self._expects = "end"
        elif self._expects == "end" and self._in_list():
            self._add(token.start, "a comma is missing before this item")
        elif self._expects in ("after", "label") and quoted:
            self._expects = "label"
        elif self._expects in ("after", "label"):
            self._add(token.start, f"{self._key} must be followed by = and a value, or by a block in braces")
            self._expects = "end"
        elif not quoted and not _NAME.fullmatch(token.text):
            self._add(token.start, f"unexpected {token.text:.20}")
            self._skipping = True
        else:
            self._key, self._expects = token.text.strip('"'), "after"

    def _unquoted(self, word: str) -> str:
        if len(word) > 40 or _SECRET.search(self._key):
            return f"put the value of {self._key} in quotes"
        return f'put the value in quotes: "{word}"'

    def _in_list(self) -> bool:
        return bool(self._open) and self._open[-1][0].text == "["
