"""Take secrets out of texts: values of the KV store appear as `****`, in whatever form a template uses them.

    mask = Mask(secrets_of(lookup, answer))
    mask("password hunter2")                          →  "password ****"
    unified_diff(b"pw a\\n", b"pw b\\n", "app.conf", mask)

Pure. Masking keeps values out of diffs and logs; it does not protect them from readers of the file.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup

MASK = "****"
#: Shorter texts are masked only as whole words: a `1` is everywhere.
_SHORT = 4
#: How deep common beginnings are factored out, in branches; the parser of expressions recurses.
_DEPTH = 24
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-]{8,}={0,2}")
#: `name: value` and `name = value` of YAML, TOML, properties and environment files; `- value` of YAML's lists.
_ENTRY = re.compile(r"(?:-\s+)?(?:export\s+)?(?:[\w.\-\"'/]+\s*[:=])?\s*(.+?),?")
_QUOTES = "\"'"


def secrets_of(lookup: Lookup, answer: Any) -> list[str]:
    """Return the values that an answer out of the KV store holds; other answers hold none."""
    if answer is None:
        return []
    if lookup.kind == "key":
        return [answer.Value]
    return [pair.Value for pair in answer] if lookup.kind == "keys" else []


class Mask:
    """Replaces the secrets, and their parts, by four asterisks, in time linear in the text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = set(secrets)

    @cached_property
    def _words(self) -> list[str]:
        return [word for word in {form for secret in self._secrets for form in _forms(secret)} if word.strip("*")]

    def __call__(self, text: str) -> str:
        """Mask a text as `mask` does."""
        return self.mask(text)

    def mask(self, text: str) -> str:
        """Return the text without the secrets."""
        return self.prepared(text)(text)

    def prepared(self, text: str) -> Callable[[str], str]:
        """Return a function that masks the parts of this text; the secrets that may be in it are chosen once."""
        grams = {text[i : i + _SHORT] for i in range(len(text) - _SHORT + 1)}
        words = [word for word in self._words if _may_hold(text, grams, word)]
        if not words:
            return str
        expression = _expression(words)
        # The asterisks of one secret may complete another one.
        again = any("*" in word for word in self._words)

        def masked(part: str) -> str:
            result = expression.sub(MASK, part)
            return self.mask(result) if again and result != part else result

        return masked


def _may_hold(text: str, grams: Set[str], word: str) -> bool:
    if len(word) < _SHORT:
        return word in text
    return word[:_SHORT] in grams and word[-_SHORT:] in grams


def _forms(secret: str) -> Iterator[str]:
    """Yield the ways in which a value, or a part of it, may show up in a text."""
    for part in {secret, *_parts(secret)}:
        word = part.strip()
        if not word:
            continue
        yield word
        if part != word and len(word) < _SHORT:
            yield part
        yield json.dumps(word)[1:-1]
        yield json.dumps(word, ensure_ascii=False)[1:-1]
        raw = word.encode("utf-8", "surrogateescape")
        yield quote(raw, safe="")
        yield quote_plus(raw)
        yield from _encoded(part)


def _encoded(text: str) -> Iterator[str]:
    if len(text) >= _SHORT:
        raw = text.encode("utf-8", "surrogateescape")
        yield base64.b64encode(raw).decode().rstrip("=")
        yield base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _parts(secret: str) -> Iterator[str]:
    """Yield lines, entries of configuration texts, leaves of JSON, and decoded base64."""
    lines = [line.strip() for line in secret.splitlines()]
    for line in lines:
        # Lines with brackets only reveal nothing.
        if len(lines) > 1 and (len(line) >= _SHORT or any(map(str.isalnum, line))):
            yield line
        yield from _entry(line)
    if secret.lstrip()[:1] in ("{", "[", '"'):
        yield from _leaves_of(secret)
    yield from _decoded(secret.strip())


def _entry(line: str) -> Iterator[str]:
    """Yield the value of an entry, without quotes and comment."""
    entry = _ENTRY.fullmatch(line)
    if entry is None or entry[1] == line:
        return
    value = entry[1]
    yield value.strip(_QUOTES)
    if value[0] in _QUOTES and (end := value.find(value[0], 1)) > 0:
        yield value[1:end]
    elif " #" in value:
        yield value.partition(" #")[0]


def _decoded(text: str) -> Iterator[str]:
    joined = "".join(text.split())
    if not _BASE64.fullmatch(joined):
        return
    padded = joined.rstrip("=") + "=" * (-len(joined.rstrip("=")) % 4)
    try:
        plain = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return
    if plain.isprintable() or "\n" in plain:
        yield plain
        yield from (line.strip() for line in plain.splitlines() if len(line.strip()) >= _SHORT)
        if plain.lstrip()[:1] in ("{", "["):
            yield from _leaves_of(plain)


def _leaves_of(text: str) -> list[str]:
    try:
        return list(_leaves(json.loads(text)))
    except (ValueError, RecursionError):
        return []


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield from (line.strip() for line in value.splitlines()[1:] if len(line.strip()) >= _SHORT)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _leaves(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _leaves(entry)
    elif isinstance(value, int | float) and len(str(value)) >= _SHORT and not isinstance(value, bool):
        yield str(value)


def _expression(words: Iterable[str]) -> re.Pattern[str]:
    """Return one or more of the words, the longest that fits; common beginnings are factored out, so that none is tried twice."""
    found = sorted(words)
    long = [word for word in found if len(word) >= _SHORT]
    short = [word for word in reversed(found) if len(word) < _SHORT]
    parts = [f"(?:{_factored(long, 0)})+"] if long else []
    return re.compile("|".join([*parts, *map(_alone, short)]))


def _alone(word: str) -> str:
    """Return an expression for the word where it is not a part of a longer one."""
    before = r"(?<!\w)" if word[0].isalnum() else r"(?<!\S)"
    after = r"(?!\w)" if word[-1].isalnum() else r"(?!\S)"
    return before + re.escape(word) + after


def _factored(words: Sequence[str], depth: int) -> str:
    """Return an expression for the sorted words; a longer one goes before its own beginning."""
    if depth >= _DEPTH:
        return "|".join(re.escape(word) for word in reversed(words))
    branches = []
    for _, group in groupby((word for word in words if word), key=lambda word: word[0]):
        alike = list(group)
        common = _common(alike[0], alike[-1])
        rest = [word[len(common) :] for word in alike]
        branches.append(re.escape(common) + (f"(?:{_factored(rest, depth + 1)})" if len(alike) > 1 else ""))
    # The empty word stands first in the order of words.
    return "|".join([*branches, ""] if words and not words[0] else branches)


def _common(first: str, last: str) -> str:
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]


def unified_diff(old: bytes, new: bytes, name: str, mask: Mask, *, hide_old: bool = False) -> str:
    """Return the change of a file as `diff -u` shows it, or "". A changed secret is a changed line of asterisks.

    `hide_old`: the secrets of the old text are not known, so nothing of the lines that go away is shown.
    """
    if old == new:
        return ""
    if b"\0" in old or b"\0" in new:
        return f"Binary file {name} differs: {len(old)} bytes, now {len(new)}\n"
    import difflib

    lines = list(difflib.unified_diff(_lines(old), _lines(new), name, name, lineterm=""))
    masked = mask.prepared("\n".join(lines))
    if hide_old:
        lines = [line if index < 2 or line[:1] != "-" else f"-{MASK}" for index, line in enumerate(lines)]
    shown = [line if index < 2 or line.startswith("@@") else _shown(line, masked) for index, line in enumerate(lines)]
    text = "\n".join(shown) + "\n"
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


#: Marks a last line without a line break; no text has it, since NUL makes a file binary.
_OPEN = "\0"


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "surrogateescape")
    if not text:
        return []
    return text.removesuffix("\n").split("\n") if text.endswith("\n") else (text + _OPEN).split("\n")


def _shown(line: str, masked: Callable[[str], str]) -> str:
    text = line[0] + masked(line[1:].removesuffix(_OPEN))
    return f"{text}\n\\ No newline at end of file" if line.endswith(_OPEN) else text
