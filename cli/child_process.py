"""The child processes of `lock` and `watch`: their command lines, and the text for their end."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence


def child_words(words: Sequence[str], environ: Mapping[str, str], *, shell: bool) -> list[str]:
    """Return the words to execute; with `shell` they are one line for the user's shell (SHELL, or /bin/sh)."""
    return [environ.get("SHELL") or "/bin/sh", "-c", " ".join(words)] if shell else list(words)


def exit_text(code: int) -> str:
    """Describe how a child ended; a negative code is a signal's number, as subprocess has it."""
    if code >= 0:
        return f"exit status {code}"
    return f"signal: {signal.Signals(-code).name}"
