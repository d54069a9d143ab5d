"""Translate the errors of RE2 into those of Go's package regexp."""

from __future__ import annotations

# What RE2 calls a fault, and what Go calls it.
_FAULTS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "trailing \\": "trailing backslash at end of expression",
}


def go_text(error: Exception) -> str:
    """Return the text of a `re2.error`, or of a UnicodeEncodeError for a pattern that is not UTF-8: "missing closing ): `(`"."""
    if isinstance(error, UnicodeEncodeError):
        return "invalid UTF-8: ``"
    text = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error.args[0])
    kind, _, fragment = text.partition(": ")
    return f"{_FAULTS.get(kind, kind)}: `{fragment}`"
