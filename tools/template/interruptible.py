"""Let signals that end the program interrupt long evaluations."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Collection, Iterator
from signal import Signals
from types import FrameType


class Interrupted(BaseException):
    """A signal that ends the program has arrived during an evaluation."""


@contextlib.contextmanager
def interruptible(signals: Collection[Signals]) -> Iterator[None]:
    """While the block runs, each of the signals raises Interrupted in it; the event loop hears of the signal as well.

    Outside of the main thread nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [(sig, signal.signal(sig, _interrupt)) for sig in signals]
    try:
        yield
    finally:
        for sig, handler in before:
            signal.signal(sig, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(Signals(number).name)
