"""Steady requests through HAProxy, and the instances that answered."""

from __future__ import annotations

import http.client
import threading
from collections import Counter

PAUSE = 0.01  # seconds between two requests


class Traffic:
    """Sends requests without pause; counts responses by instance, and failures."""

    def __init__(self, port: int) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            try:
                self.answers[self._ask()] += 1
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")

    def _ask(self) -> str:
        """Send a request on a new connection; return the name of the instance that answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/", headers={"Host": "web.example", "Connection": "close"})
            answer = connection.getresponse()
            body = answer.read().decode().strip()
            if answer.status != 200:
                raise ValueError(f"{answer.status} {body[:80]}")
            return body
        finally:
            connection.close()
