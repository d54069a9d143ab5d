"""Requests through a proxy that never stop, and what came of them."""

from __future__ import annotations

import http.client
import threading
import time


class Traffic:
    """One request after the other, each on a connection of its own, until it is stopped."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.failures: list[str] = []
        self.latest: list[str] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.latest = [*self.latest[-19:], self.get()]
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(repr(error))
            time.sleep(0.002)

    def get(self) -> str:
        """Return the name of the server that answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/", headers={"Host": "web.example"})
            answer = connection.getresponse()
            body = answer.read().decode()
            assert answer.status == 200, f"{answer.status}: {body}"
            return body
        finally:
            connection.close()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
