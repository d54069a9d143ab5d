"""Write keys in as few transactions as the agent allows; a refused one is written key by key.

The limits: https://developer.hashicorp.com/consul/docs/agent/config/config-files#txn_max_req_len
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable

from pyconsul.agent.common.http_answer import quote
from pyconsul.cli.errors import ApiError, CliError, during
from pyconsul.cli.http.client import Client
from pyconsul.cli.kv.plan import BATCH, MAX_OCTETS

#: Key, flags and value.
Row = tuple[str, int, bytes]
_TOO_LARGE = 413


class Writer:
    """`done` is called with rows as soon as they are written, in order; `written` counts them."""

    def __init__(self, client: Client, done: Callable[[list[Row]], None]) -> None:
        self._client = client
        self._done = done
        self._rows: list[Row] = []
        self._parts: list[bytes] = []
        self._octets = 0
        self.written = 0

    def add(self, row: Row) -> None:
        """Add a row, which is written now or later. Raises CliError when the agent refuses a row."""
        part = _operation(row)
        if self._rows and (len(self._rows) == BATCH or self._octets + len(part) > MAX_OCTETS):
            self.flush()
        self._rows.append(row)
        self._parts.append(part)
        self._octets += len(part) + 1

    def flush(self) -> None:
        """Write the remaining rows. Raises CliError, with the rows before the refused one written."""
        rows, parts = self._rows, self._parts
        self._rows, self._parts, self._octets = [], [], 0
        if rows:
            self._write(rows, parts)

    def _write(self, rows: list[Row], parts: list[bytes]) -> None:
        if len(rows) == 1:
            self._put(rows[0])
            return
        try:
            self._client.request("PUT", "/v1/txn", body=b"[" + b",".join(parts) + b"]").checked()
        except ApiError as error:
            if error.code == _TOO_LARGE:
                half = len(rows) // 2
                self._write(rows[:half], parts[:half])
                self._write(rows[half:], parts[half:])
                return
            for row in rows:  # a transaction is refused as a whole: find the row, and write those before it
                self._put(row)
            return
        self._report_written(rows)

    def _put(self, row: Row) -> None:
        key, flags, value = row
        try:
            self._client.request("PUT", "/v1/kv/" + quote(key), {"flags": str(flags)} if flags else {}, value).checked()
        except CliError as error:
            raise during(f"Error! Failed writing data for key {key}", error) from None
        self._report_written([row])

    def _report_written(self, rows: list[Row]) -> None:
        self.written += len(rows)
        self._done(rows)


def _operation(row: Row) -> bytes:
    from pyconsul.cli.http.client import to_json

    key, flags, value = row
    text = b2a_base64(value, newline=False).decode()
    return to_json({"KV": {"Verb": "set", "Key": key, "Value": text, "Flags": flags}})
