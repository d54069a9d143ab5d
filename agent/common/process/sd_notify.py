"""Report the state of the program to systemd: https://www.freedesktop.org/software/systemd/man/sd_notify.html

    notifier = Notifier.take(os.environ)     # without NOTIFY_SOCKET all that follows does nothing
    notifier.status("1 of 3 waiting: service web")
    notifier.ready()
    task = asyncio.create_task(notifier.heartbeat())
    notifier.reloading(); notifier.ready()
    notifier.stopping()

A message that cannot be sent is logged once; it never ends the program.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import MutableMapping

log = logging.getLogger("systemd")

#: Seconds that a message may take to be accepted; systemd takes them at once unless it hangs.
_SEND_TIMEOUT_S = 0.5
#: Characters of a status; a longer one is cut.
_MAX_STATUS = 500


class Notifier:
    """The connection to the service manager.

    `address` is the socket's path, `@name` for an abstract one, empty when nobody listens. `watchdog` is the interval in
    seconds within which systemd expects a sign of life, None when it expects none.
    """

    def __init__(self, address: str = "", watchdog: float | None = None) -> None:
        self._address = address
        self._watchdog = watchdog
        self._status = ""
        self._failed = False

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Read the variables that systemd sets, and remove them, so that no child process reports in our name."""
        address = environ.pop("NOTIFY_SOCKET", "")
        interval, process = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        mine = not process or process == str(os.getpid())
        seconds = int(interval) / 1e6 if interval.isascii() and interval.isdigit() and mine else 0.0
        return cls(address, seconds or None)

    def __bool__(self) -> bool:
        """Return whether a service manager listens."""
        return bool(self._address)

    def ready(self) -> None:
        """Report that the start, or a reload, is complete."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report that a reload has begun; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the program stops."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows; it is sent when it changes."""
        text = " ".join(text.split())[:_MAX_STATUS]
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    async def heartbeat(self) -> None:
        """Send signs of life, twice as often as they are expected, until cancelled; ends at once if none are."""
        if not self._address or self._watchdog is None:
            return
        while True:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self._watchdog / 2)

    def _send(self, message: str) -> None:
        if not self._address:
            return
        place = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(_SEND_TIMEOUT_S)
                sock.connect(place)
                sock.send(message.encode("utf-8", "replace"))
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
            if not self._failed:
                log.warning("cannot notify systemd at %s: %s", self._address, error)
            self._failed = True
