"""The requests and changes of a watch: shared by `pyconsul watch` and by watches in configuration files.

The types of watches: https://developer.hashicorp.com/consul/docs/dynamic-app-config/watches
"""

from __future__ import annotations

import json
from typing import Any

_KEY_FIELDS: dict[str, Any] = {
    "Key": "", "CreateIndex": 0, "ModifyIndex": 0, "LockIndex": 0, "Flags": 0, "Value": None, "Session": "",
}  # fmt: skip
#: Go's `api.HealthCheckDefinition`, which handlers get whole, whatever the agent leaves out.
_CHECK_DEFINITION: dict[str, Any] = {
    "Interval": "0s", "Timeout": "0s", "DeregisterCriticalServiceAfter": "0s", "HTTP": "", "Header": None, "Method": "",
    "Body": "", "TLSServerName": "", "TLSSkipVerify": False, "TCP": "", "TCPUseTLS": False, "UDP": "", "GRPC": "",
    "OSService": "", "GRPCUseTLS": False,
}  # fmt: skip


class Plan:
    """One watch. `path` and `query` make the request; `step` takes each response."""

    def __init__(self, kind: str, path: str, query: dict[str, str]) -> None:
        self.kind = kind
        self.path = path
        self.query = query
        self.index = 0
        #: The last index of the agent, whether requests still use it or not.
        self.known = 0
        #: The digest of the last reported data; None before the first.
        self.digest: str | None = None

    @property
    def name(self) -> str:
        """Identify the watch among others."""
        return self.path + "".join(f" {name}={value}" for name, value in sorted(self.query.items()))

    def question(self) -> dict[str, str]:
        """Return the query of the next request; it blocks once there was an answer."""
        return {**self.query, "index": str(self.index)} if self.index else self.query

    def remember(self, index: int, digest: str) -> None:
        """Continue from the state of another process. The present data is requested first: see `resume`."""
        self.index = self.known = index
        self.digest = digest
        self.resume()

    def resume(self) -> None:
        """Ask without an index after an outage. A new agent may have reached the same one with other data."""
        if self.kind != "event":  # the index shows which events are new
            self.index = 0

    def step(self, index: int, answer: Any) -> tuple[bool, Any]:
        """Take in an answer: whether it is news, and the data for a handler. `answer` is None when nothing exists."""
        self.known = index
        if self.digest is not None and index == self.index:
            return False, None
        data = self._shaped(answer)
        # An index that goes backwards means that the agent's state was replaced: ask again without one. The index of
        # events is made from an event's ID, and goes everywhere.
        self.index = 0 if index < self.index and self.kind != "event" else index
        forgotten = self.kind == "event" and not data  # by a new agent; nothing happened
        digest = digest_of(data)
        if self.digest is not None and (forgotten or digest == self.digest):
            return False, None
        self.digest = digest
        return True, data

    def _shaped(self, answer: Any) -> Any:
        if self.kind == "key":
            return None if answer is None else _entry(answer[0])
        if self.kind == "keyprefix":
            return None if answer is None else [_entry(entry) for entry in answer]
        if self.kind == "checks":
            return [_check(check) for check in answer]
        if self.kind == "service":
            return [{**one, "Checks": [_check(check) for check in one.get("Checks") or ()]} for one in answer]
        return self._new_events(answer) if self.kind == "event" else answer

    def _new_events(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the events after the one that the last index stands for."""
        for position, event in enumerate(events):
            if self.digest is not None and event_index(event["ID"]) == self.index:
                return events[position + 1 :]
        return events


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a key with all of its fields, in the order handlers know."""
    return {name: entry.get(name, default) for name, default in _KEY_FIELDS.items()}


def _check(check: dict[str, Any]) -> dict[str, Any]:
    """Return a check with all fields of its definition."""
    return {**check, "Definition": {**_CHECK_DEFINITION, **(check.get("Definition") or {})}}


def digest_of(data: Any) -> str:
    """Equal for equal data."""
    from hashlib import sha256

    return sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def event_index(identity: str) -> int:
    """Return the index that stands for an event: both halves of its UUID, xor-ed."""
    digits = identity.replace("-", "")
    return int(digits[:16], 16) ^ int(digits[16:], 16)
