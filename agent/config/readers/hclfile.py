"""HCL files.  Consul reads HCL 1; the parser reads HCL 2, so what only HCL 1 allows is rewritten before it parses.

That is: quoted and dotted keys outside of objects, commas between settings, `key = {…}` given several times, and in objects of
a list blocks and entries without commas.  Texts are taken as they are: `${…}` and `%{…}` mean nothing.  A block becomes a list of
maps, one for each time it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pyconsul.agent.common.files.excerpt import SECRET_KEY, Mistake, mistake
from pyconsul.agent.common.files.hcl import HIDE, HclSyntaxError, parse_hcl_source, text_of_source
from pyconsul.agent.config.readers.jsonfile import parse_json

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
      |(?P<line>\n)
      |(?P<heredoc><<-?(?P<mark>[\w.-]+)\r?\n(?:.*?\n)?[ \t]*(?P=mark)(?![\w.-]))
      |(?P<string>"(?:\\.|[^"\\\n])*")
      |(?P<name>[A-Za-z_][\w.-]*)
      |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_KEY = "pyconsul_key_"


def parse_hcl(text: str) -> dict[str, Any]:
    """The settings in an HCL text; raises HCLError with its mistakes (for JSON ValueError)."""
    if text.lstrip().startswith("{"):
        return parse_json(text)
    # The mark is a group within the heredoc's own.
    tokens = [
        Token(str(match.lastgroup).replace("mark", "heredoc"), match[0], match.start())
        for match in _TOKEN.finditer(text)
    ]
    if found := mistakes(text, tokens):
        raise HCLError(found)
    source = _Source()
    try:
        document = parse_hcl_source(source.rewrite(tokens))
    except HclSyntaxError as error:
        raise HCLError([_unforeseen(error.line, text)]) from None
    result = _plain(document, source)
    assert isinstance(result, dict)
    return result


@dataclass(slots=True)
class _Source:
    """Rewrites HCL 1 as HCL 2, token by token.

    `keys` are those that stand-ins were put in for, with their quotes; `blocks` are the stand-ins of blocks in an object of a list.
    """

    keys: list[str] = field(default_factory=list)
    blocks: set[str] = field(default_factory=set)
    # The brackets that are open, and the last token that was no blank.
    nesting: list[str] = field(default_factory=list)
    before: str = "\n"

    def rewrite(self, tokens: Sequence[Token]) -> str:
        followers, following = [], ""
        for kind, token, _ in reversed(tokens):
            followers.append(following)
            following = following if kind in ("blank", "line") else token
        return "".join(
            self._token(kind, token, after) for (kind, token, _), after in zip(tokens, reversed(followers), strict=True)
        )

    def _token(self, kind: str, token: str, following: str) -> str:
        if kind == "blank":
            return "\n" * token.count("\n") or " "
        before, self.before = self.before, token
        if kind in ("string", "name") and following in ("=", "{") and before != "=" and self._in_listed_object():
            # HCL 2 wants `key = {` there, and a comma where no line ends; a key may stand for several blocks.
            separator = "" if before in ("\n", "{", ",") else ", "
            key = self._stand_in(token)
            if following == "{":
                self.blocks.add(key)
                key += " ="
            return separator + key
        if kind == "string":
            starts = before in ("\n", "{", "}", ",")
            if following == "=" or (following == "{" and starts):
                return self._stand_in(token)
        if kind in ("string", "heredoc"):
            return token.translate(HIDE)
        if kind == "name" and "." in token and following in ("=", "{"):
            return self._stand_in(token)
        return self._punctuation(token, following)

    def _punctuation(self, token: str, following: str) -> str:
        if token in "{[":
            self.nesting.append(token)
        elif token in "}]" and self.nesting:
            self.nesting.pop()
        elif token == "," and self.nesting[-1:] == ["{"]:
            return "," if "[" in self.nesting else " "
        elif token == "=" and following == "{" and "[" not in self.nesting:
            return " "
        return token

    def _in_listed_object(self) -> bool:
        return self.nesting[-1:] == ["{"] and "[" in self.nesting

    def _stand_in(self, key: str) -> str:
        self.keys.append(key)
        return f"{_KEY}{len(self.keys) - 1}_"


def _plain(value: Any, source: _Source) -> Any:
    """The parser's values without their source form: stand-ins, quotes, escapes and heredoc marks."""
    if isinstance(value, dict):
        return _plain_map(value, source)
    if isinstance(value, list):
        return [_plain(entry, source) for entry in value]
    return text_of(value) if isinstance(value, str) else value


def _plain_map(value: dict[str, Any], source: _Source) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for given, entry in value.items():
        key, made = _key(given, source.keys), _plain(entry, source)
        if given in source.blocks:
            made = [*result.get(key, []), made]
        result[key] = made
    return result


def _key(key: str, keys: list[str]) -> str:
    if key.startswith(_KEY):
        key = keys[int(key.removeprefix(_KEY).rstrip("_"))]
    return text_of(key) if key.startswith('"') else key


def text_of(source: str) -> str:
    """Return the text of a quoted string or heredoc; raises ValueError for anything else."""
    text = text_of_source(source)
    if text is None:
        raise ValueError("a value without quotes; allowed: texts in quotes, numbers, true, false, lists and maps")
    return text


def _unforeseen(line: int, text: str) -> Mistake:
    """A mistake that only the parser notices; it knows the line, the column is the line's beginning."""
    lines = text.split("\n")
    line = line if 0 < line <= len(lines) else len(lines)
    begin = sum(len(one) + 1 for one in lines[: line - 1])
    return mistake(text, begin + len(lines[line - 1]) - len(lines[line - 1].lstrip()), "this cannot be read as HCL")


#: Mistakes to report of one text.
MAX_MISTAKES = 10
_CLOSERS = {"{": "}", "[": "]"}
_WORDS = frozenset(("true", "false", "null"))
_NUMBER = re.compile(r"-?(0[xX][0-9a-fA-F]+|\d+(\.\d+)?([eE][+-]?\d+)?)")
_NAME = re.compile(r"[^\W\d][\w.-]*")


class Token(NamedTuple):
    """A piece of the text; `kind` is a group of the lexer, `start` its position."""

    kind: str
    text: str
    start: int


class HCLError(ValueError):
    """A text that is not HCL."""

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
            self._add(token.start, f'no key before "{token.text}"')
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
        if len(word) > 40 or SECRET_KEY.search(self._key):
            return f"put the value of {self._key} in quotes"
        return f'put the value in quotes: "{word}"'

    def _in_list(self) -> bool:
        return bool(self._open) and self._open[-1][0].text == "["
