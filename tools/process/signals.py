"""The signals that a run of a tool catches, and their queue on the event loop."""

from __future__ import annotations

from signal import Signals
from typing import TYPE_CHECKING, Any

from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.run import KILL_SIGNAL, RELOAD_SIGNAL

if TYPE_CHECKING:
    import asyncio

    from pyconsul.tools.options.settings import Settings

_CAUGHT = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGWINCH")


def caught_signals(settings: Settings) -> set[Signals]:
    """Return the signals that a run catches; those without a meaning for the tool are passed on to the child."""
    own = (settings[KILL_SIGNAL], settings[RELOAD_SIGNAL])
    return {sig for sig in own if sig is not None} | {Signals[name] for name in _CAUGHT}


def uncatchable(sig: Signals) -> ConfigError:
    """Return the error of a kill or reload signal that cannot be caught."""
    return ConfigError(f"{sig.name} cannot be caught: choose another kill_signal or reload_signal")


def catch_signals(settings: Settings) -> asyncio.Queue[Signals]:
    """Return a queue that gets each caught signal. Needs a running event loop. Raises ConfigError."""
    import asyncio

    signals: asyncio.Queue[Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for sig in caught_signals(settings):
        try:
            loop.add_signal_handler(sig, signals.put_nowait, sig)
        except (RuntimeError, ValueError, OSError) as error:
            raise uncatchable(sig) from error
    return signals


async def next_signal(running: asyncio.Future[Any], signals: asyncio.Queue[Signals]) -> Signals | None:
    """Wait for the next signal; returns None when the future is done before one comes."""
    import asyncio

    received = asyncio.ensure_future(signals.get())
    try:
        waited: list[asyncio.Future[Any]] = [running, received]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        return received.result() if received.done() else None
    finally:
        received.cancel()
