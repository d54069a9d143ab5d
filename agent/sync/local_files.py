"""The files of the agent's own services and checks: those that Consul keeps in its data folder, so that either agent reads them.

| folder | content |
| --- | --- |
| `services` | `{"Token", "Service", "Source"}` |
| `checks` | `{"Check", "ChkType", "Token", "Source"}`; `ChkType` says how the check runs, null for maintenance |
| `checks/state` | `{"CheckID", "Output", "Status", "Expires"}`: the last report on a TTL check |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pyconsul.agent.health.decode import decode_service_check
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.check import CRITICAL, HealthCheck
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow, TTLReport

SERVICES_FOLDER, CHECKS_FOLDER, REPORTS_FOLDER = "services", "checks", "checks/state"
_SOURCE = "remote"  # Consul's word for what came over the API
_NOT_IN_TYPE = ("ID", "ServiceID", "Token")  # keys of a definition that stand elsewhere in the file
_SERVICE_DEFAULTS: dict[str, Any] = {
    "Tags": [], "Address": "", "Meta": None, "Weights": {"Passing": 1, "Warning": 1}, "EnableTagOverride": False,
    "CreateIndex": 0, "ModifyIndex": 0,
}  # fmt: skip
_CHECK_DEFAULTS: dict[str, Any] = {
    "Name": "", "Status": CRITICAL, "Notes": "", "Output": "", "ServiceID": "", "ServiceName": "", "ServiceTags": [], "Type": "",
    "Interval": "", "Timeout": "", "Definition": {}, "CreateIndex": 0, "ModifyIndex": 0,
}  # fmt: skip


def encode_service(row: ServiceRow) -> bytes:
    """Return the content of a service's file."""
    return msgspec.json.encode({"Token": row.token, "Service": row.service, "Source": _SOURCE})


def decode_service(data: bytes) -> ServiceRow:
    """Return the service of a file.  Raises ValueError."""
    body = _object(msgspec.json.decode(data), "the file")
    return ServiceRow(_filled_in(body, "Service", _SERVICE_DEFAULTS, NodeService), _text(body, "Token"))


def encode_check(row: CheckRow) -> bytes:
    """Return the content of a check's file."""
    how = None if row.definition is None else _check_type(row.check.check_id, row.definition)
    return msgspec.json.encode({"Check": row.check, "ChkType": how, "Token": row.token, "Source": _SOURCE})


def decode_check(data: bytes) -> CheckRow:
    """Return the check of a file.  Raises ValueError."""
    body = _object(msgspec.json.decode(data), "the file")
    check = _filled_in(body, "Check", _CHECK_DEFAULTS, HealthCheck)
    how = body.get("ChkType")
    definition = None
    if how is not None:
        given = {"CheckID": check.check_id, **_object(how, "ChkType")}
        definition = msgspec.structs.replace(decode_service_check(given), service_id=check.service_id)
    return CheckRow(check, definition, _text(body, "Token"))


def encode_report(row: TTLReport) -> bytes:
    """Return the content of a report's file; it has whole seconds."""
    return msgspec.json.encode(
        {"CheckID": row.check_id, "Output": row.output, "Status": row.status, "Expires": int(row.expires)}
    )


def decode_report(data: bytes) -> TTLReport:
    """Return the report of a file.  Raises ValueError."""
    body = _object(msgspec.json.decode(data), "the file")
    expires = msgspec.convert(body.get("Expires"), float)
    return TTLReport(_text(body, "CheckID"), _text(body, "Status"), _text(body, "Output"), expires)


def _check_type(check_id: str, definition: CheckDefinition) -> dict[str, Any]:
    given = msgspec.to_builtins(definition)
    return {"CheckID": check_id} | {key: value for key, value in given.items() if key not in _NOT_IN_TYPE}


def _filled_in(body: Mapping[str, Any], key: str, defaults: Mapping[str, Any], kind: type[Any]) -> Any:
    """Return an object of a file; keys that are missing or null have their default.  Raises ValueError."""
    given = _object(body.get(key), key)
    return msgspec.convert({**defaults, **{name: value for name, value in given.items() if value is not None}}, kind)


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a JSON object")
    return value


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key) or ""
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a text")
    return value
