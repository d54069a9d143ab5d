"""What is wrong with a text of rules that cannot be read, and where: Consul's words, which its clients have seen before.

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
_KINDS = {"{": "LBRACE", "}": "RBRACE", "[": "LBRACK", "]": "RBRACK", "=": "ASSIGN", ",": "COMMA", ".": "PERIOD"}


def position(text: str, offset: int) -> str:
    """Line and column of an offset, from 1: `1:15`."""
    return f"{text.count(chr(10), 0, offset) + 1}:{offset - text.rfind(chr(10), 0, offset)}"


def repeated(text: str) -> str | None:
    """The words about the first setting that is given twice in one block; blocks may come again."""
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
    """The words about a text that the parser refused."""
    depth, before = 0, ""
    for match in _TOKEN.finditer(text):
        token = match[0]
        where = position(text, match.start())
        if match["blank"] is not None:
            continue
        if match["open"] is not None:
            return f"At {where}: literal not terminated"
        if before == "=" and (token in "}]=,." or match["name"] not in (None, "true", "false")):
            return f"At {where}: Unknown token: {where} {_kind(match)}"
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if depth < 0:
                return f"At {where}: expected: IDENT | STRING got: RBRACE"
        elif match["other"] is not None and token not in _KINDS:
            return f"At {where}: illegal character"
        before = token
    line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    if depth > 0:
        return f"At {line}:{column + 1}: object expected closing RBRACE got: EOF"
    return f"At {line}:{column + 1}: key '{before}' expected start of object ('{{') or assignment ('=')"


def _kind(match: re.Match[str]) -> str:
    name = match["name"]
    return f"IDENT {name}" if name is not None else f"{_KINDS.get(match[0], 'ILLEGAL')} {match[0]}"
