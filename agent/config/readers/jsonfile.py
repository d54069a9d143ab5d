"""JSON files.  Go's words are used for what is wrong with one, because Consul's API hands them on when a reload fails."""

from __future__ import annotations

import json
from typing import Any

_LITERALS = {"t": "true", "f": "false", "n": "null", "-": "-"}
_AFTER_ITEM = {"{": "after object key:value pair", "[": "after array element"}
#: Python's error -> Go's for the character at that position.
_WORDS = {
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Illegal trailing comma before end of array": "looking for beginning of value",
    "Expecting value": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Extra data": "after top-level value",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
    "Invalid \\uXXXX escape": "in \\u hexadecimal character escape",
}


class JSONError(ValueError):
    """Invalid JSON, in Go's words; `position` is where reading stopped."""

    def __init__(self, words: str, position: int) -> None:
        super().__init__(words)
        self.position = position


def parse_json(text: str) -> dict[str, Any]:
    """The object in a JSON text; raises ValueError in Go's words (https://pkg.go.dev/encoding/json#SyntaxError)."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise JSONError(go_words(error), error.pos) from None
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    if not isinstance(value, dict):
        raise ValueError("the outermost value must be an object")
    return value


def go_words(error: json.JSONDecodeError) -> str:
    """Return the error text of Go's decoder for the same mistake."""
    message, position = error.msg, error.pos
    if message.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    # A bad escape is named by the character after the backslash.
    if message.startswith("Invalid \\"):
        position += 1
        message = message.split(":")[0]
    rest = error.doc[position:].lstrip(" \t\r\n") if not message.startswith("Invalid") else error.doc[position:]
    if message.startswith("Illegal trailing comma"):
        rest = rest.lstrip(",").lstrip(" \t\r\n")
    if not rest:
        return "unexpected end of JSON input"
    if message == "Expecting value" and rest[0] in _LITERALS:
        return _literal_words(rest)
    words = _WORDS.get(message) or _AFTER_ITEM.get(_enclosing(error.doc[:position]), "looking for beginning of value")
    return f"invalid character {_quoted(rest[0])} {words}"


def _literal_words(rest: str) -> str:
    """A word or a number that goes wrong after its first character."""
    literal = _LITERALS[rest[0]]
    if rest[0] == "-":
        return (
            f"invalid character {_quoted(rest[1])} in numeric literal" if rest[1:] else "unexpected end of JSON input"
        )
    for given, expected in zip(rest, literal, strict=False):
        if given != expected:
            return f"invalid character {_quoted(given)} in literal {literal} (expecting {_quoted(expected)})"
    return "unexpected end of JSON input"


def _enclosing(text: str) -> str:
    """The bracket that is open at the text's end."""
    open_brackets, in_string, escaped = [], False, False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "{[":
            open_brackets.append(character)
        elif character in "}]":
            open_brackets.pop()
    return open_brackets[-1] if open_brackets else ""


def _quoted(character: str) -> str:
    named = {"'": "'\\''", '"': "'\"'", "\n": "'\\n'", "\t": "'\\t'", "\r": "'\\r'"}
    if character in named:
        return named[character]
    return f"'{character}'" if character.isprintable() else f"'\\x{ord(character):02x}'"


def _no_constant(name: str) -> Any:
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")
