"""HCL files.  Consul reads HCL 1; the parser reads HCL 2, so what only HCL 1 allows is rewritten before it parses.

That is: quoted and dotted keys outside of objects, commas between settings, `key = {…}` given several times, and in objects of
a list blocks and entries without commas.  Texts are taken as they are: `${…}` and `%{…}` mean nothing.  A block becomes a list of
maps, one for each time it is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyconsul.agent.config.readers.hclsyntax import HCLError, Mistake, Token, mistake, mistakes
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
_HEREDOC = re.compile(r'"<<(-?)[\w.-]+\r?\n(.*?)([ \t]*)[\w.-]+"', re.DOTALL)
_KEY = "pyconsul_key_"
# Stand-ins from Unicode's private use area, which hide HCL 2's interpolation from the parser.
_HIDE = str.maketrans({"$": "\ue000", "%": "\ue001"})
_SHOW = str.maketrans({"\ue000": "$", "\ue001": "%"})


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
    import hcl2
    from lark.exceptions import LarkError

    source = _Source()
    rewritten = source.rewrite(tokens)
    options = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False)
    try:
        document = hcl2.loads(rewritten + "\n", serialization_options=options)
    except LarkError as error:
        raise HCLError([_unforeseen(error, text)]) from None
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
            return token.translate(_HIDE)
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
    """What a quoted text or heredoc says; raises ValueError for anything else."""
    from hcl2.utils import process_escape_sequences

    if heredoc := _HEREDOC.fullmatch(source):
        indented, text, indentation = heredoc.groups()
        text = _unindent(text, indentation) if indented else text
    elif source.startswith('"') and source.endswith('"') and len(source) > 1:
        text = str(process_escape_sequences(source[1:-1]))
    else:
        raise ValueError("a value without quotes; allowed: texts in quotes, numbers, true, false, lists and maps")
    return text.translate(_SHOW)


def _unindent(text: str, indentation: str) -> str:
    """HCL's `<<-`: what stands before the end mark is taken from each line, if all of them have it."""
    lines = text.splitlines(keepends=True)
    if all(line.startswith(indentation) for line in lines):
        return "".join(line[len(indentation) :] for line in lines)
    return text


def _unforeseen(error: Exception, text: str) -> Mistake:
    """A mistake that only the parser notices; it knows the line, the column is the line's beginning."""
    lines = text.split("\n")
    line = getattr(error, "line", 0) or 0
    line = line if 0 < line <= len(lines) else len(lines)
    begin = sum(len(one) + 1 for one in lines[: line - 1])
    return mistake(text, begin + len(lines[line - 1]) - len(lines[line - 1].lstrip()), "this cannot be read as HCL")
