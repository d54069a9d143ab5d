"""The one error of check definitions: a text for the person who registered the check, and its HTTP status."""

from __future__ import annotations


class CheckError(ValueError):
    """A check definition that is refused; `text` says what was wrong, as Consul says it."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
