"""The table of settings, read from the declarations in `Config` and its sections: what flags, files and documentation go by."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from pyconsul.agent.common.go.durations import format_go_duration_s
from pyconsul.agent.config.config import Config, Definition
from pyconsul.agent.config.setting import Note, Unit


class Kind(enum.Enum):
    """The form of a value in files; the enum's value is its name in documentation."""

    STRING = "string"
    INT = "integer"
    FLOAT = "number"
    BOOL = "boolean"
    DURATION = "duration"
    LIST = "list of strings"
    MAP = "map of strings"
    DURATION_MAP = "map of durations"
    DEFINITIONS = "list of definitions"
    OBJECTS = "list of objects"


#: Kinds whose values of several sources are put together; those of the others replace one another.
GATHERED = frozenset({Kind.LIST, Kind.MAP, Kind.DURATION_MAP, Kind.DEFINITIONS, Kind.OBJECTS})


#: Checked values by name, sections as maps; only what the source gives.
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: `key` is Consul's path such as `ports.http`."""

    key: str
    kind: Kind
    default: Any
    note: Note

    @property
    def default_text(self) -> str:
        """The default as a file would write it, or in words when it is worked out at start; empty: none."""
        return self.note.computed or written(self.kind, self.default)


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that stand below one key; the outermost section's key is empty."""

    key: str
    doc: str
    type: type[msgspec.Struct]
    entries: dict[str, Setting | Section]

    def path(self, name: str) -> str:
        """The whole key of a name in this section."""
        return f"{self.key}.{name}" if self.key else name


def put(values: Values, key: str, value: Any) -> None:
    """Set the value of a whole key such as `ports.http`, making the maps on the way."""
    *sections, name = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[name] = value


def written(kind: Kind, value: Any) -> str:
    """A value as a file would write it; empty for what is empty."""
    if kind is Kind.DURATION:
        return format_go_duration_s(value)
    if kind is Kind.BOOL:
        return "true" if value else "false"
    if kind in (Kind.INT, Kind.FLOAT):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple | dict) else str(value)


def _section(kind: type[msgspec.Struct], key: str, doc: str) -> Section:
    section = Section(key, doc, kind, {})
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        notes = [item for item in get_args(hints[field.name]) if isinstance(item, Note)]
        if notes:
            section.entries[field.name] = _entry(section.path(field.name), hints[field.name], field.default, notes[0])
    return section


def _entry(key: str, hint: Any, default: Any, note: Note) -> Setting | Section:
    base, *extras = get_args(hint)
    if isinstance(base, type) and issubclass(base, msgspec.Struct):
        return _section(base, key, note.doc)
    # msgspec keeps an empty map as the factory of a new one.
    return Setting(key, _kind(base, extras), {} if default is msgspec.NODEFAULT else default, note)


def _kind(base: Any, extras: list[Any]) -> Kind:
    if Unit.SECONDS in extras:
        return Kind.DURATION
    simple = {str: Kind.STRING, int: Kind.INT, float: Kind.FLOAT, bool: Kind.BOOL}
    if base in simple:
        return simple[base]
    item = get_args(base)
    if get_origin(base) is dict:
        return Kind.DURATION_MAP if get_origin(item[1]) is Annotated else Kind.MAP
    if item[0] is str:
        return Kind.LIST
    return Kind.DEFINITIONS if item[0] is Definition else Kind.OBJECTS


def _rows(section: Section) -> Iterator[Setting]:
    for entry in section.entries.values():
        if isinstance(entry, Setting):
            yield entry
        else:
            yield from _rows(entry)


ROOT = _section(Config, "", "The agent's settings.")
SETTINGS: tuple[Setting, ...] = tuple(_rows(ROOT))
BY_KEY: dict[str, Setting] = {row.key: row for row in SETTINGS}
#: Every flag that sets a key, without dashes.
BY_FLAG: dict[str, Setting] = {flag: row for row in SETTINGS for flag in row.note.flags}
