"""Values as files and flags write them, made into the values of settings.  Raises ValueError, whose text says what is allowed."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.go.booleans import parse_go_bool
from pyconsul.agent.common.go.durations import ALLOWED, LONGEST_NS, parse_go_duration_s
from pyconsul.agent.config import host, validators
from pyconsul.agent.config.table import Kind, Setting

DETAIL = "    "  # begins further lines of an error


class ItemError(ValueError):
    """One item of a list or map has a wrong value. `place`: where below the setting, as `.key` or `[0]`."""

    def __init__(self, place: str, value: object, allowed: str) -> None:
        super().__init__(allowed)
        self.place = place
        self.value = value


class NotAllowed(ValueError):
    """The row's check refuses a value of the right type."""


def from_file(row: Setting, value: Any) -> Any:
    """A decoded JSON or HCL value; types are not mixed up: "8500" is no integer."""
    return checked(row, typed(row.kind, value))


def from_flag(row: Setting, texts: list[str]) -> Any:
    """The texts of a flag, in the order given: lists and maps take all, the others the last."""
    if row.kind is Kind.LIST:
        return checked(row, tuple(texts))
    if row.kind is Kind.MAP:
        return checked(row, dict(_pair(text) for text in texts))
    return checked(row, _scalar(row.kind, texts[-1]))


def checked(row: Setting, value: Any) -> Any:
    """The value, when the row's own check lets it pass; templates of addresses are filled in first."""
    if row.note.check in (validators.ip_address, validators.listen_addresses) and "{{" in value:
        value = host.fill_address_template(value)
    allowed = row.note.check(value) if row.note.check else None
    if allowed:
        raise NotAllowed(allowed)
    return value


def shown(row: Setting, value: object) -> str:
    """A value for an error's text; a secret's is hidden."""
    if row.note.secret:
        return "(hidden)"
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 100 else text[:100] + "…"


def refusal(row: Setting, place: str, value: object, error: ValueError) -> str:
    """Return the text of an error about a value; `place` is where it was written."""
    text = f"{place}: {shown(row, value)} is not allowed; allowed: {error}"
    if not row.note.error or not isinstance(error, NotAllowed):
        return text
    return f"{row.note.error.format(value=value)}\n{DETAIL}{text}"


def typed(kind: Kind, value: Any) -> Any:
    """A decoded JSON or HCL value as a value of that kind; a list of one stands for its item, as HCL has it."""
    if kind is Kind.LIST:
        return _strings(value)
    if kind is Kind.OBJECTS:
        return _objects(value)
    if kind in (Kind.MAP, Kind.DURATION_MAP):
        return _map(value, Kind.STRING if kind is Kind.MAP else Kind.DURATION)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if kind is Kind.DURATION:
        return parse_seconds(value)
    return _plain(kind, value)


def _plain(kind: Kind, value: Any) -> Any:
    if kind is Kind.BOOL and isinstance(value, bool):
        return value
    if kind is Kind.STRING and isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and -LONGEST_NS <= value <= LONGEST_NS:
        if kind is Kind.FLOAT:
            return float(value)
        if kind is Kind.INT and value == int(value):
            return int(value)
    raise ValueError(_ALLOWED[kind])


def parse_seconds(value: Any) -> float:
    """The seconds of a duration in a file: a text with units, never a bare number."""
    if not isinstance(value, str):
        raise ValueError(ALLOWED)
    try:
        return parse_go_duration_s(value)
    except ValueError:
        raise ValueError(ALLOWED) from None


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(_ALLOWED[Kind.LIST])
    for position, item in enumerate(value):
        if not isinstance(item, str):
            raise ItemError(f"[{position}]", item, _ALLOWED[Kind.STRING])
    return tuple(value)


def _objects(value: Any) -> tuple[dict[str, Any], ...]:
    found = value if isinstance(value, list) else [value]
    for position, item in enumerate(found):
        if not isinstance(item, dict):
            raise ItemError(f"[{position}]", item, "an object")
    return tuple(found)


def _map(value: Any, kind: Kind) -> dict[str, Any]:
    # An HCL block is a list of maps.
    maps = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in maps):
        raise ValueError(_ALLOWED[Kind.MAP if kind is Kind.STRING else Kind.DURATION_MAP])
    return {key: _item(kind, key, item) for one in maps for key, item in one.items()}


def _item(kind: Kind, key: str, value: Any) -> Any:
    try:
        return typed(kind, value)
    except ValueError as error:
        raise ItemError(f".{key}", value, str(error)) from None


def _scalar(kind: Kind, text: str) -> Any:
    if kind is Kind.STRING:
        return text
    if kind is Kind.DURATION:
        return parse_seconds(text)
    try:
        if kind is Kind.BOOL:
            return parse_go_bool(text)
        if kind is Kind.INT and abs(number := int(text)) <= LONGEST_NS:
            return number
        if kind is Kind.FLOAT and abs(size := float(text)) <= LONGEST_NS:
            return size
    except ValueError:
        pass
    raise ValueError(_ALLOWED[kind])


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition(":")
    return key, value


_ALLOWED = {
    Kind.STRING: "a text in quotes",
    Kind.INT: "a whole number, without quotes",
    Kind.FLOAT: "a number, without quotes",
    Kind.BOOL: "true or false, without quotes",
    Kind.DURATION: ALLOWED,
    Kind.LIST: "a list of texts",
    Kind.MAP: "a map of texts",
    Kind.DURATION_MAP: "a map of durations",
}
