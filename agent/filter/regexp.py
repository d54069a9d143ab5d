"""Regular expressions as Consul has them: RE2's syntax, in time linear to the text (https://github.com/google/re2/wiki/Syntax)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from pyconsul.agent.common.go.regexp_errors import go_text

#: Gives the texts of a pattern's groups in the first match, the whole match first; nothing without a match.
Groups: TypeAlias = Callable[[str], Sequence[str]]

REGEXP_BYTES = 1 << 20  # of memory that a compiled pattern may take while it is matched
CACHED = 6  # patterns that are kept


class RegexpError(ValueError):
    """A pattern that cannot be used; the text is Go's, such as "error parsing regexp: missing closing ): `(`"."""


@lru_cache(maxsize=CACHED)
def compile_regexp(pattern: str) -> Callable[[str], bool]:
    """Return a predicate that searches for a match anywhere in a text; raises RegexpError."""
    search = _searcher(pattern)
    return lambda text: search(text) is not None


@lru_cache(maxsize=CACHED)
def compile_groups(pattern: str) -> Groups:
    """Return a function that returns the matches of a pattern's groups in a text, "" for unmatched ones; raises RegexpError."""
    search = _searcher(pattern)

    def groups(text: str) -> Sequence[str]:
        found = search(text)
        return (found[0], *(group or "" for group in found.groups())) if found is not None else ()

    return groups


def _searcher(pattern: str) -> Callable[[str], Any]:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = REGEXP_BYTES
    try:
        search: Callable[[str], Any] = re2.compile(pattern, options).search
    except (re2.error, UnicodeEncodeError) as error:
        raise RegexpError(f"error parsing regexp: {go_text(error)}") from None
    return search
