"""Reading check definitions from JSON objects and from configuration.

Three spellings exist: a check of its own (`/agent/check/register`), a check within a service's registration, and a check in a
configuration file.  The API takes CamelCase keys in any case and a few snake_case ones, and refuses every other key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pyconsul.agent.common.go.durations import LONGEST_NS, parse_go_duration_ns
from pyconsul.agent.common.go.quoting import go_quote
from pyconsul.agent.health.definition import CheckDefinition, CheckError, wire_name

DURATIONS = frozenset({"interval", "timeout", "ttl", "deregister_critical_service_after"})
FIELDS = {field.name: field.type for field in msgspec.structs.fields(CheckDefinition)}
GO_TYPES = {str: "string", int: "int", bool: "bool", list[str]: "[]string", dict[str, list[str]]: "map[string][]string"}

# snake_case keys of the API, beside the CamelCase ones
SNAKE = ("script_args", "deregister_critical_service_after", "docker_container_id", "tls_server_name", "tls_skip_verify",
         "tcp_use_tls", "grpc_use_tls", "h2ping_use_tls", "service_id")  # fmt: skip
IGNORED = ""  # a key that is taken and means nothing


def _api_keys(id_key: str, without: set[str]) -> dict[str, str]:
    """Lower-case JSON key -> field."""
    keys = {wire_name(field).lower(): field for field in FIELDS if field not in without | {"id"}}
    return keys | {id_key: "id", "args": "script_args"} | {key: key for key in SNAKE}


CHECK_KEYS = _api_keys("id", set()) | {"disable_redirects": "disable_redirects"}
SERVICE_CHECK_KEYS = _api_keys("checkid", {"token"}) | {
    "serviceid": IGNORED, "service_id": IGNORED, "proxyhttp": IGNORED, "proxygrpc": IGNORED,
}  # fmt: skip
CONFIG_KEYS = {field: field for field in FIELDS if field != "script_args"} | {
    "args": "script_args", "scriptargs": "script_args", "script_args": "script_args", "serviceid": "service_id",
    "checkid": "id", "check_id": "id", "dockercontainerid": "docker_container_id", "tlsskipverify": "tls_skip_verify",
    "tlsservername": "tls_server_name", "osservice": "os_service",
    "deregistercriticalserviceafter": "deregister_critical_service_after",
}  # fmt: skip


def decode_check(body: Mapping[str, object]) -> CheckDefinition:
    """Decode a body of `/agent/check/register`; raises CheckError."""
    return _decode_api(body, CHECK_KEYS)


def decode_service_check(body: Mapping[str, object]) -> CheckDefinition:
    """`Check` or one of `Checks` in a service's registration; raises CheckError.  `service_id` stays empty."""
    return _decode_api(body, SERVICE_CHECK_KEYS)


def decode_config_check(table: Mapping[str, object], where: str = "check") -> CheckDefinition:
    """Decode a `check` block of a configuration file; `where` is its path, for error texts.  Raises CheckError."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        field = CONFIG_KEYS.get(key.lower())
        if field is None:
            raise CheckError(f"invalid config key {where}.{key}")
        if value is not None:
            values[field] = _config_value(field, value, f"{where}.{key}")
    return _finish(values)


def _decode_api(body: Mapping[str, object], keys: Mapping[str, str]) -> CheckDefinition:
    values: dict[str, Any] = {}
    durations: dict[str, object] = {}
    for key, value in body.items():
        field = keys.get(key.lower())
        if field is None:
            raise CheckError(f"json: unknown field {go_quote(key)}")
        if field == IGNORED or value is None:
            continue
        if field in DURATIONS:
            durations[field] = value
        else:
            values[field] = _checked(field, value, _go_path(key, field))
    for field, value in durations.items():
        _set_duration(values, field, value)
    return _finish(values)


def _set_duration(values: dict[str, Any], field: str, value: object) -> None:
    """Decode a text such as `10s`, or a number of nanoseconds; other JSON values count as missing."""
    if isinstance(value, str):
        try:
            values[field] = parse_go_duration_ns(value, go_error=True)
        except ValueError as error:
            raise CheckError(str(error)) from None
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if not -LONGEST_NS <= value <= LONGEST_NS:
            raise CheckError(f"json: cannot unmarshal number {value} into Go value of type time.Duration")
        values[field] = int(value)


def _finish(values: dict[str, Any]) -> CheckDefinition:
    if values.get("h2ping"):
        values.setdefault("h2ping_use_tls", True)
    return CheckDefinition(**values)


def _go_path(key: str, field: str) -> str:
    """Return the path of a value in Consul's errors; keys with a special spelling are outside the embedded structure."""
    return f".{key}" if key in SNAKE or key == "args" or key == "disable_redirects" else f".Alias.{wire_name(field)}"


def _checked(field: str, value: object, path: str) -> object:
    wanted = FIELDS[field]
    name = "types.CheckID" if field == "id" else GO_TYPES[wanted]

    def refuse(found: object, inner: str = name) -> CheckError:
        return CheckError(
            f"json: cannot unmarshal {_json_kind(found, inner)} into Go struct field {path} of type {inner}"
        )

    if wanted in (str, bool, int):
        if type(value) is not wanted or (type(value) is int and not -LONGEST_NS <= value <= LONGEST_NS):
            raise refuse(value)
        return value
    if wanted == list[str]:
        return _strings(value, refuse)
    if isinstance(value, dict) and wanted == dict[str, list[str]]:
        return {
            str(key): _strings(item, lambda found, inner="[]string": refuse(found, inner))
            for key, item in value.items()
        }
    raise refuse(value)


def _strings(value: object, refuse: Callable[..., CheckError]) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise refuse(value)
    for item in value:
        if not isinstance(item, str | None):
            raise refuse(item, "string")
    return [item or "" for item in value]


def _json_kind(value: object, wanted: str) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return f"number {value}" if wanted == "int" else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _config_value(field: str, value: object, where: str) -> object:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0]  # how HCL hands over a block
    wanted = FIELDS[field]
    if field in DURATIONS:
        return _config_duration(value, where)
    if wanted == dict[str, list[str]]:
        return _config_header(value, where)
    if wanted == list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise CheckError(f"{where}: must be a list of strings")
        return value
    if type(value) is not wanted or (type(value) is int and not -LONGEST_NS <= value <= LONGEST_NS):
        raise CheckError(f"{where}: must be of type {GO_TYPES[wanted]}")
    return value


def _config_duration(value: object, where: str) -> int:
    if not isinstance(value, str):
        raise CheckError(f'{where}: must be a duration such as "10s"')
    try:
        return parse_go_duration_ns(value, go_error=True)
    except ValueError as error:
        raise CheckError(f"{where}: invalid duration: {go_quote(value)}: {error}") from None


def _config_header(value: object, where: str) -> dict[str, list[str]]:
    if not isinstance(value, dict):
        raise CheckError(f"{where}: must map header names to lists of values")
    header: dict[str, list[str]] = {}
    for name, items in value.items():
        texts = [items] if isinstance(items, str) else items
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise CheckError(f"{where}.{name}: must be a list of strings")
        header[str(name)] = texts
    return header
