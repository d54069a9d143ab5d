"""The lexer of Go templates: text and actions become tokens; blanks around trim markers are gone already.

Grammar: https://pkg.go.dev/text/template. A lexical error is the last token (kind ERROR, its value is the message),
so that the parser reports it where it meets it.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.syntax.quote import quote


class Kind(Enum):
    """Kinds of tokens."""

    ERROR = auto()
    EOF = auto()
    TEXT = auto()
    LEFT = auto()
    RIGHT = auto()
    SPACE = auto()
    BOOL = auto()
    CHAR = auto()
    CHAR_CONSTANT = auto()
    COMPLEX = auto()
    NUMBER = auto()
    STRING = auto()
    RAW_STRING = auto()
    ASSIGN = auto()
    DECLARE = auto()
    PIPE = auto()
    LEFT_PAREN = auto()
    RIGHT_PAREN = auto()
    FIELD = auto()
    IDENTIFIER = auto()
    VARIABLE = auto()
    DOT = auto()
    KEYWORD = auto()


KEYWORDS = frozenset(("block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"))
_SPACES = " \t\r\n"
_WORD = re.compile(r"\w*")
_SPACE_RUN = re.compile(r"[ \t\r\n]+")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_QUOTED_CHAR = re.compile(r"'(?:[^'\\\n]|\\[^\n])*'")
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_SINGLE = {
    "=": Kind.ASSIGN,
    "|": Kind.PIPE,
}


@struct(frozen=True)
class Token:
    """One token: `position` counts characters from the start of the text, `line` from 1."""

    kind: Kind
    position: int
    value: str
    line: int

    def is_keyword(self, word: str) -> bool:
        """Return whether this is the given keyword."""
        return self.kind is Kind.KEYWORD and self.value == word

    def shown(self) -> str:
        """Return the token as messages show it."""
        if self.kind is Kind.EOF:
            return "EOF"
        if self.kind is Kind.ERROR:
            return self.value
        if self.kind is Kind.KEYWORD:
            return f"<{self.value}>"
        if self.kind is Kind.DOT:
            return "<.>"
        if len(self.value.encode("utf-8", "surrogateescape")) > 10:
            return quote(self.value[:10]) + "..."
        return quote(self.value)


class LexError(Exception):
    """Ends the scan; the text becomes the last token."""


def tokens(text: str, left: str, right: str, plain_words: frozenset[str]) -> list[Token]:
    """Return all tokens of a template, ending with EOF or ERROR.

    `plain_words`: which of `break` and `continue` are functions of the caller and therefore no keywords.
    """
    lexer = _Lexer(text, left or "{{", right or "}}", plain_words)
    try:
        lexer.scan()
    except LexError as error:
        lexer.start = min(lexer.start, len(text))
        lexer.tokens.append(Token(Kind.ERROR, lexer.start, str(error), lexer.line))
    return lexer.tokens


class _Lexer:
    def __init__(self, text: str, left: str, right: str, plain_words: frozenset[str]) -> None:
        self.text, self.left, self.right, self.plain_words = text, left, right, plain_words
        self.tokens: list[Token] = []
        self.start = 0  # of the token being scanned
        self.position = 0
        self.line = 1  # at `start`
        self.depth = 0  # of parentheses

    def emit(self, kind: Kind) -> None:
        value = self.text[self.start : self.position]
        self.tokens.append(Token(kind, self.start, value, self.line))
        self.skip()

    def skip(self) -> None:
        self.line += self.text.count("\n", self.start, self.position)
        self.start = self.position

    def scan(self) -> None:
        while True:
            found = self.text.find(self.left, self.position)
            if found < 0:
                break
            self.emit_text(found)
            self.open_action()
        self.position = len(self.text)
        if self.position > self.start:
            self.emit(Kind.TEXT)
        self.emit(Kind.EOF)

    def emit_text(self, end: int) -> None:
        after = end + len(self.left)
        kept = end
        if self.trims_before(after):
            kept = self.start + len(self.text[self.start : end].rstrip(_SPACES))
        self.position = kept
        if kept > self.start:
            self.emit(Kind.TEXT)
        self.position = end
        self.skip()

    def trims_before(self, position: int) -> bool:
        return self.text.startswith("-", position) and self.text[position + 1 : position + 2] in tuple(_SPACES)

    def trims_after(self, position: int) -> bool:
        return self.text[position : position + 1] in tuple(_SPACES) and self.text.startswith(
            "-" + self.right, position + 1
        )

    def open_action(self) -> None:
        self.position += len(self.left)
        trims = self.trims_before(self.position)
        if self.text.startswith("/*", self.position + 2 * trims):
            self.position += 2 * trims
            self.skip()
            self.comment()
            return
        self.emit(Kind.LEFT)
        self.position += 2 * trims
        self.skip()
        self.depth = 0
        while not self.inside_action():
            pass

    def comment(self) -> None:
        end = self.text.find("*/", self.position + 2)
        if end < 0:
            raise LexError("unclosed comment")
        self.position = end + 2
        if not self.trims_after(self.position) and not self.text.startswith(self.right, self.position):
            raise LexError("comment ends before closing delimiter")
        self.close(emit=False)

    def close(self, emit: bool) -> None:
        """Pass the right delimiter, which is here, and the blanks that its trim marker removes."""
        trims = self.trims_after(self.position)
        if trims:
            self.position += 2
        self.skip()
        self.position += len(self.right)
        if emit:
            self.emit(Kind.RIGHT)
        if trims:
            blanks = _SPACE_RUN.match(self.text, self.position)
            self.position = blanks.end() if blanks else self.position
        self.skip()

    def inside_action(self) -> bool:
        """Scan one token of an action; True when it was the action's end."""
        text, at = self.text, self.position
        if text.startswith(self.right, at) or self.trims_after(at):
            if self.depth:
                raise LexError("unclosed left paren")
            self.close(emit=True)
            return True
        if at >= len(text):
            raise LexError("unclosed action")
        character = text[at]
        if character in _SPACES:
            self.space()
        elif character in _SINGLE:
            self.position += 1
            self.emit(_SINGLE[character])
        elif character in "\"`'":
            self.quoted(character)
        elif character in "+-" or "0" <= character <= "9" or (character == "." and "0" <= text[at + 1 : at + 2] <= "9"):
            self.number()
        elif character in ".$" or character == "_" or character.isalnum():
            self.word(character)
        else:
            self.punctuation(character)
        return False

    def space(self) -> None:
        run = _SPACE_RUN.match(self.text, self.position)
        assert run is not None
        self.position = run.end()
        # The last blank belongs to a trim marker when one follows.
        if self.trims_after(self.position - 1):
            self.position -= 1
            if self.position == self.start:
                return
        self.emit(Kind.SPACE)

    def quoted(self, mark: str) -> None:
        if mark == "`":
            end = self.text.find("`", self.position + 1) + 1
            if not end:
                raise LexError("unterminated raw quoted string")
            self.position = end
            self.emit(Kind.RAW_STRING)
            return
        match = (_QUOTED if mark == '"' else _QUOTED_CHAR).match(self.text, self.position)
        if match is None:
            raise LexError("unterminated " + ("quoted string" if mark == '"' else "character constant"))
        self.position = match.end()
        self.emit(Kind.STRING if mark == '"' else Kind.CHAR_CONSTANT)

    def number(self) -> None:
        self.scan_number()
        kind = Kind.NUMBER
        if self.text[self.position : self.position + 1] in ("+", "-"):
            self.scan_number()
            if self.text[self.position - 1] != "i":
                raise LexError(f"bad number syntax: {self.excerpt()}")
            kind = Kind.COMPLEX
        self.emit(kind)

    def scan_number(self) -> None:
        match = _NUMBER.match(self.text, self.position)
        assert match is not None
        self.position = match.end()
        following = self.text[self.position : self.position + 1]
        if following == "_" or following.isalnum():
            self.position += 1
            raise LexError(f"bad number syntax: {self.excerpt()}")

    def excerpt(self) -> str:
        return quote(self.text[self.start : self.position])

    def word(self, first: str) -> None:
        if first in ".$":
            self.position += 1
        match = _WORD.match(self.text, self.position)
        assert match is not None
        self.position = match.end()
        self.require_end_of_word()
        word = self.text[self.start : self.position]
        if first == ".":
            self.emit(Kind.FIELD if len(word) > 1 else Kind.DOT)
        elif first == "$":
            self.emit(Kind.VARIABLE)
        elif word in KEYWORDS and word not in self.plain_words:
            self.emit(Kind.KEYWORD)
        else:
            self.emit(Kind.BOOL if word in ("true", "false") else Kind.IDENTIFIER)

    def require_end_of_word(self) -> None:
        following = self.text[self.position : self.position + 1]
        if following and following not in " \t\r\n.,|:)(" and not self.text.startswith(self.right, self.position):
            raise LexError(f"bad character {unicode_name(following)}")

    def punctuation(self, character: str) -> None:
        self.position += 1
        if character == ":":
            if not self.text.startswith("=", self.position):
                raise LexError("expected :=")
            self.position += 1
            self.emit(Kind.DECLARE)
        elif character == "(":
            self.depth += 1
            self.emit(Kind.LEFT_PAREN)
        elif character == ")":
            self.depth -= 1
            if self.depth < 0:
                raise LexError("unexpected right paren")
            self.emit(Kind.RIGHT_PAREN)
        elif " " < character <= "~":
            self.emit(Kind.CHAR)
        else:
            raise LexError(f"unrecognized character in action: {unicode_name(character)}")


def unicode_name(character: str) -> str:
    """Return a character as `%#U` prints it: its code point, and itself when it can be seen."""
    code = f"U+{ord(character):04X}"
    return f"{code} '{character}'" if character.isprintable() else code
