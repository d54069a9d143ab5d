"""Loggers that load `logging` with the first message that is shown. It takes 3 ms, and most one-shot runs log nothing.

    log = LazyLog("template")
    defer_logging(30, configure)      # messages of this level and above call `configure`, then go to `logging`
    log.warning("cannot read %s", path)

Without `defer_logging` every message goes to `logging`.
"""

from __future__ import annotations

from collections.abc import Callable

#: The levels of `logging`.
DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40


# The deferred configuration and the level of the messages that need it; at most one.
_deferred: list[tuple[int, Callable[[], None]]] = []


def defer_logging(min_level: int, configure: Callable[[], None]) -> None:
    """Drop messages below a level, and configure `logging` with the first other one."""
    _deferred[:] = [(min_level, configure)]


def configure_logging() -> None:
    """Configure `logging` now, if that was deferred: for runs that load it anyway."""
    while _deferred:
        _, configure = _deferred.pop()
        configure()


class LazyLog:
    """A logger of the module `logging`, by its name."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, text: str, *args: object) -> None:
        """Log at level DEBUG."""
        self.log(DEBUG, text, *args)

    def info(self, text: str, *args: object) -> None:
        """Log at level INFO."""
        self.log(INFO, text, *args)

    def warning(self, text: str, *args: object) -> None:
        """Log at level WARNING."""
        self.log(WARNING, text, *args)

    def error(self, text: str, *args: object) -> None:
        """Log at level ERROR."""
        self.log(ERROR, text, *args)

    def log(self, level: int, text: str, *args: object) -> None:
        """Log at a level of `logging`. `args` are formatted into the text with `%`."""
        if _deferred and level < _deferred[0][0]:
            return
        configure_logging()
        import logging

        logging.getLogger(self._name).log(level, text, *args)
