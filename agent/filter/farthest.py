"""The farthest position a parser reached, and the tokens expected there: the error of a text that matches no rule.

Only the farthest position counts, because whatever was tried before it was given up for something better.
"""

from __future__ import annotations

END = "EOF"


class Farthest:
    """Where parsing failed for good, with all that was looked for there; and faults that have a text of their own."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._wanted: set[str] = set()
        self._faults: dict[str, None] = {}

    def wanted(self, position: int, what: str) -> None:
        """`what` was looked for at `position`, in vain."""
        if position > self._position:
            self._position = position
            self._wanted.clear()
        if position == self._position:
            self._wanted.add(what)

    def fault(self, position: int, rule: str, text: str) -> None:
        """Add a fault found by a rule: the text is invalid, even if another rule fits."""
        self._faults[f'{self._where(position)}: rule "{rule}": {text}'] = None

    def faults(self) -> str:
        """Return the faults found by rules, one a line."""
        return "\n".join(self._faults)

    def unmatched(self) -> str:
        """Return the fault of a text that fits no rule."""
        names = sorted(self._wanted - {END}) + ([END] if END in self._wanted else [])
        listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)
        return f"{self._where(self._position)}: no match found, expected: {listed}"

    def _where(self, position: int) -> str:
        """line:column (offset in bytes); a line break counts as column 0 of the line it begins."""
        before = self._text[: position + 1]
        line = before.count("\n") + 1
        column = position - before.rfind("\n") if line > 1 else position + 1
        return f"{line}:{column} ({len(self._text[:position].encode(errors='surrogatepass'))})"
