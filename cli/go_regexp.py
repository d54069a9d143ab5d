"""Regular expressions of the command line: Consul's syntax, with Go's error messages."""

from __future__ import annotations

from collections.abc import Callable


def compile_regexp(pattern: str) -> Callable[[str], bool]:
    """Return a function that returns whether a text has a match anywhere. Raises ValueError with Go's text."""
    import re2

    from pyconsul.agent.common.go.regexp_errors import go_text

    options = re2.Options()
    options.log_errors = False
    try:
        search = re2.compile(pattern, options).search
    except (re2.error, UnicodeEncodeError) as error:
        raise ValueError(f"error parsing regexp: {go_text(error)}") from None
    return lambda text: search(text) is not None
