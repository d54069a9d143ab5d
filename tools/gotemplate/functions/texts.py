"""consul-template's functions for texts: cases, trimming, splitting, replacing, regular expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.signature import Function, function
from pyconsul.tools.gotemplate.runtime.values import Map, Slice, strings
from pyconsul.tools.gotemplate.text.regex import compile_regex, replace_all

# unicode.IsSpace, which strings.TrimSpace goes by; str.strip() removes more.
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_WORD = re.compile(r"[^\W_](?:[\w\u00b7]|['’.:](?=\w))*")


def lower(text: str) -> str:
    """Small letters, each character for itself."""
    return text.lower() if text.isascii() else "".join(map(_small, text))


def _small(character: str) -> str:
    # The one letter whose small form is a single letter for Go and two characters for Python.
    return "i" if character == "\u0130" else one_for_one(character, str.lower)


def upper(text: str) -> str:
    """Capital letters, each character for itself: `ß` stays."""
    return text.upper() if text.isascii() else "".join(map(_capital, text))


def _capital(character: str) -> str:
    # Greek letters with an iota below have a capital that Python gives as their title case.
    return one_for_one(character, str.upper if len(character.upper()) == 1 else str.title)


def one_for_one(character: str, change: Callable[[str], str]) -> str:
    """Return the changed character, or itself where the change makes several of it."""
    changed = change(character)
    return changed if len(changed) == 1 else character


def title(text: str) -> str:
    """Return each word with a capital letter at its start; the other letters stay as they are."""
    return _WORD.sub(lambda match: _title_word(match.group()), text)


def _title_word(word: str) -> str:
    """Return the first letter that has cases as a capital: of `1x` the x."""
    at = next((i for i, c in enumerate(word) if c.title() != c or c.lower() != c), 0)
    return word[:at] + one_for_one(word[at], str.title) + word[at + 1 :]


def split_text(text: str, separator: str, limit: int = -1) -> list[str]:
    """Return the parts between separators, at most `limit` if not negative; without a separator, the characters."""
    if limit == 0:
        return []
    if separator:
        return text.split(separator, limit - 1 if limit > 0 else -1)
    if limit < 0 or limit >= len(text):
        return list(text)
    return [*text[: limit - 1], text[limit - 1 :]]


def split(separator: str, text: str) -> Slice:
    """Return the parts of the text, which is trimmed first; nothing gives an empty list."""
    text = text.strip(SPACES)
    return strings(split_text(text, separator) if text else [])


def split_to_map(items: str, pair: str, text: str) -> Map:
    """Return the text's items, each split at its first `pair` into key and value; items without one are left out."""
    text = text.strip(SPACES)
    found = Map("map[string]string")
    for item in split_text(text, items) if text else []:
        key, separator, value = item.partition(pair) if pair else ("", "yes", item)
        if separator:
            found[key] = value
    return found


def indent(width: int, text: str) -> str:
    """Blanks before each line that is not empty."""
    if width < 0:
        raise GoError("indent value must be a positive integer")
    return "\n".join(" " * width + line if line else line for line in text.split("\n"))


def replace(text: str, old: str, new: str) -> str:
    """Return each occurrence replaced; an empty `old` stands before each character and at the end."""
    return text.replace(old, new)


def regex_match(pattern: str, text: str) -> bool:
    """Return whether the expression matches somewhere in the text."""
    return compile_regex(pattern).search(text) is not None


FUNCTIONS: Mapping[str, Function] = {
    "indent": function(indent, "int", "string"),
    "join": function(lambda separator, items: separator.join(items), "string", "[]string"),
    "regexMatch": function(regex_match, "string", "string"),
    "regexReplaceAll": function(replace_all, "string", "string", "string"),
    "replaceAll": function(lambda old, new, text: replace(text, old, new), "string", "string", "string"),
    "split": function(split, "string", "string"),
    "splitToMap": function(split_to_map, "string", "string", "string"),
    "toLower": function(lower, "string"),
    "toTitle": function(title, "string"),
    "toUpper": function(upper, "string"),
    "trim": function(lambda characters, text: text.strip(characters) if characters else text, "string", "string"),
    "trimPrefix": function(lambda prefix, text: text.removeprefix(prefix), "string", "string"),
    "trimSpace": function(lambda text: text.strip(SPACES), "string"),
    "trimSuffix": function(lambda suffix, text: text.removesuffix(suffix), "string", "string"),
}
