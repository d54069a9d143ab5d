"""The clients of the demonstration: one writes keys, one sends requests through HAProxy; both count what they are told."""

from __future__ import annotations

import base64
import threading
import time
from collections import Counter
from itertools import count
from pathlib import Path

from pyconsul.cli.unix_http import ask

PAUSE_S = 0.01  # between two requests
PREFIX = "demo/written"


class _Client:
    """A thread that does one thing again and again."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the request that is under way."""
        self._stop.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            self.act()

    def act(self) -> None:
        """Send a request."""
        raise NotImplementedError


class Writer(_Client):
    """Writes one key after the other through an agent; one that is not acknowledged is written again.

    acknowledged: the keys.  repeated: writes without an acknowledgement.
    """

    def __init__(self, agent: Path) -> None:
        super().__init__()
        self._agent, self._numbers = agent, count(1)
        self._key = next(self._numbers)
        self.acknowledged: set[str] = set()
        self.repeated = 0
        self.last = time.monotonic()
        self.longest_pause = 0.0

    def act(self) -> None:
        """Write the next key."""
        key = f"{PREFIX}/{self._key}"
        if ask(self._agent, "PUT", f"/v1/kv/{key}", key.encode()).body.strip() != b"true":
            self.repeated += 1
            return
        now = time.monotonic()
        self.longest_pause = max(self.longest_pause, now - self.last)
        self.last = now
        self.acknowledged.add(key)
        self._key = next(self._numbers)

    def forget_pauses(self) -> None:
        """Measure the longest pause from now on."""
        self.longest_pause = 0.0

    def lost(self, agent: Path) -> set[str]:
        """Return acknowledged keys that an agent does not have.  Raises ValueError when it does not answer."""
        expected = set(self.acknowledged)
        rows = ask(agent, "GET", f"/v1/kv/{PREFIX}?recurse").json
        if rows is None:
            raise ValueError("no answer")
        found = {row["Key"] for row in rows if base64.b64decode(row["Value"] or "").decode() == row["Key"]}
        return expected - found


class Visitor(_Client):
    """Sends requests through HAProxy.  answers: by instance.  failures: what went wrong."""

    def __init__(self, frontend: Path) -> None:
        super().__init__()
        self._frontend = frontend
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    @property
    def total(self) -> int:
        """Return the number of answered requests."""
        return sum(self.answers.values())

    def act(self) -> None:
        """Send a request."""
        status, body = ask(self._frontend, "GET", "/")
        if status == 200:
            self.answers[body.decode().strip()] += 1
        else:
            self.failures.append(f"{status} {body[:80].decode(errors='replace')}")
