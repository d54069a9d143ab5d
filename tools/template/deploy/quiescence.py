"""When a template that has changed may be rendered: after a quiet moment, but not later than a limit. Pure."""

from __future__ import annotations


class Quiescence:
    """`minimum`, `maximum`: seconds without a change, and seconds since the first one; (0, 0) does not wait at all.

    `now` is any clock that only goes forward.
    """

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self._first: float | None = None
        self._last = 0.0

    def tick(self, now: float) -> None:
        """Something has changed."""
        if self._first is None:
            self._first = now
        self._last = now

    @property
    def deadline(self) -> float | None:
        """When it will be quiet enough; None when nothing has changed."""
        if self._first is None:
            return None
        return min(self._last + self.minimum, self._first + self.maximum)

    def reset(self) -> None:
        """What has changed has been rendered."""
        self._first = None
