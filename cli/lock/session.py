"""A session that is kept alive while something is held with it.

The API: https://developer.hashicorp.com/consul/api-docs/session
"""

from __future__ import annotations

import threading
from contextlib import suppress

from pyconsul.cli.errors import CliError
from pyconsul.cli.http.client import Client

#: Seconds after which the agent ends a session that is not renewed.
TTL = 15.0


class Session:
    """A session that is created at the begin of the block, renewed by a thread, and destroyed at the end."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        self._stopped = threading.Event()
        self._renewer = threading.Thread(target=self._renew, args=(client.copy(),), daemon=True)
        self.id = ""

    def __enter__(self) -> Session:
        """Raises CliError when the agent refuses."""
        created = self._client.put("/v1/session/create", body={"Name": self._name, "TTL": f"{TTL:g}s"})
        self.id = created["ID"]
        self._renewer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with suppress(CliError):  # its TTL ends it as well
            self._client.put(f"/v1/session/destroy/{self.id}")

    def _renew(self, client: Client) -> None:
        while not self._stopped.wait(TTL / 2):
            # A renewal that failed is made up for by the next one, or the lock's monitor sees that the lock is gone.
            with suppress(CliError):
                client.request("PUT", f"/v1/session/renew/{self.id}", timeout=TTL / 2)
