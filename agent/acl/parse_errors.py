"""Errors in rules that cannot be parsed, with their positions, in the words of Consul.

Source of the words: hashicorp/hcl's parser.  The text itself was read by a real parser; here it is only looked over once more.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
      |(?P<heredoc><<-?(?P<mark>[\w.-]+)\r?\n(?:.*?\n)?[ \t]*(?P=mark)(?![\w.-]))
      |(?P<string>"(?:\\.|[^"\\\n])*")
      |(?P<open>["])
      |(?P<name>[A-Za-z_][\w.-]*)
      |(?P<number>-?\d[\w.+-]*)
      |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
UNTERMINATED = "literal not terminated"
_KINDS = {"{": "LBRACE", "}": "RBRACE", "[": "LBRACK", "]": "RBRACK", "=": "ASSIGN", ",": "COMMA", ".": "PERIOD"}


def position(text: str, offset: int) -> str:
    """Line and column of an offset, from 1: `1:15`."""
    return f"{text.count(chr(10), 0, offset) + 1}:{offset - text.rfind(chr(10), 0, offset)}"


def repeated(text: str) -> str | None:
    """Return the error text about the first setting that a block has twice; blocks may be repeated."""
    blocks: list[set[str]] = [set()]
    before: re.Match[str] | None = None
    for match in _TOKEN.finditer(text):
        if match["blank"] is not None:
            continue
        token = match[0]
        if token == "{":
            blocks.append(set())
        elif token == "}" and len(blocks) > 1:
            blocks.pop()
        elif token == "=" and before is not None and before["other"] is None:
            if before[0] in blocks[-1]:
                quoted = before[0].replace("\\", "\\\\").replace('"', '\\"')
                return (
                    f'The argument "{quoted}" at {position(text, before.start())} was already set. '
                    "Each argument can only be defined once"
                )
            blocks[-1].add(before[0])
        before = match
    return None


def complaint(text: str) -> str:
    """Return the error text for rules that the parser refused."""
    keys: list[str] = []  # read since the last value, block or brace
    depth, before = 0, ""
    for match in _TOKEN.finditer(text):
        token, where = match[0], position(text, match.start())
        if match["blank"] is not None:
            continue
        if (words := _wrong(match, text, before, keys)) is not None:
            return f"At {where if words != UNTERMINATED else _end_of_line(text, match.start())}: {words}"
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth < 0:
            return f"At {where}: expected: IDENT | STRING | ASSIGN | LBRACE got: RBRACE"
        if before == "=" or token in "={}[],":
            keys = []
        else:
            keys.append(token)
        before = token
    end = f"{text.count(chr(10)) + 1}:{len(text) - text.rfind(chr(10)) + 1}"
    if keys:
        return f"At {end}: {_no_value(keys)}"
    return f"At {end}: object expected closing RBRACE got: EOF"


def _wrong(match: re.Match[str], text: str, before: str, keys: list[str]) -> str | None:
    """Return the error at a token, given the token before it and the keys read so far; None for no error."""
    token = match[0]
    if match["open"] is not None:
        return UNTERMINATED
    if match["other"] is not None and token not in _KINDS:
        return "illegal character"
    if before == "=" and (token in "}]=,." or match["name"] not in (None, "true", "false")):
        return f"Unknown token: {position(text, match.start())} {_kind(match)}"
    if token == "=" and len(keys) > 1:
        return "nested object expected: LBRACE got: ASSIGN"
    return _no_value(keys) if token == "}" and keys else None


def _no_value(keys: list[str]) -> str:
    return f"key '{' '.join(keys)}' expected start of object ('{{') or assignment ('=')"


def _end_of_line(text: str, offset: int) -> str:
    end = text.find("\n", offset)
    return position(text, len(text) if end < 0 else end)


def _kind(match: re.Match[str]) -> str:
    name = match["name"]
    return f"IDENT {name}" if name is not None else f"{_KINDS.get(match[0], 'ILLEGAL')} {match[0]}"
