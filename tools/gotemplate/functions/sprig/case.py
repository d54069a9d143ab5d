"""Names in other cases: `FirstName`, `first_name`, `first-name`."""

from __future__ import annotations

import re

# Words by kinds of characters: A capital, a small letter, 0 digit, ? other. Digits belong to the word before them
# (`bld4`) unless small letters follow: then they begin a word (`3rd`).
_TAIL = "(?:0+(?![a0]))?"
_WORD = re.compile(rf"0+(?:a+0+)*a+{_TAIL}|A+(?=Aa)|A+{_TAIL}(?!a)|A?a+{_TAIL}|0+|.")
_CONNECTOR = re.compile(r"[-_\s]")


def _kind(character: str) -> str:
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return "0" if character.isdigit() else "?"


def _words(text: str) -> list[str]:
    kinds = "".join(map(_kind, text))
    return [text[match.start() : match.end()] for match in _WORD.finditer(kinds)]


def _lowercase(text: str, connector: str) -> str:
    chunks = _CONNECTOR.split(text)
    return connector.join(connector.join(_words(chunk)).lower() for chunk in chunks)


def snakecase(text: str) -> str:
    """Convert `HTTPServer` to `http_server`."""
    return _lowercase(text, "_")


def kebabcase(text: str) -> str:
    """Convert `HTTPServer` to `http-server`."""
    return _lowercase(text, "-")


def camelcase(text: str) -> str:
    """Convert `http_server` to `HttpServer`. Connectors at both ends stay, and all but one of those between words."""
    start = re.match(r"[-_\s]*", text)
    end = re.search(r"[-_\s]*$", text)
    assert start is not None
    assert end is not None
    if start.end() == len(text):
        return text
    inner = text[start.end() : end.start()]
    parts = re.split(r"([-_\s]+)", inner)
    joined = "".join(part[:-1] if i % 2 else _capitalized(part) for i, part in enumerate(parts))
    return start.group() + joined + end.group()


def _capitalized(word: str) -> str:
    """Return a capital letter first; capitals that follow at once become small if the word began with one."""
    first, rest = word[0], word[1:]
    if first.isupper():
        rest = re.sub(r"^[^\W\d_]+", _lower_capitals, rest)
    return first.upper() + rest


def _lower_capitals(match: re.Match[str]) -> str:
    letters = match.group()
    count = next((i for i, letter in enumerate(letters) if not letter.isupper()), len(letters))
    return letters[:count].lower() + letters[count:]
