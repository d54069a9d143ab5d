"""Errors of filters, in the words of Consul."""

from __future__ import annotations

PREFIX = "Failed to create boolean expression evaluator: "


class FilterError(ValueError):
    """A filter that cannot be used; `str(error)` is the whole text, `error.fault` leaves out what all such texts begin with."""

    def __init__(self, fault: str) -> None:
        super().__init__(PREFIX + fault)
        self.fault = fault
