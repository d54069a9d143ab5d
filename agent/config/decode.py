"""A file's decoded JSON or HCL, made into nested maps of checked values; what is wrong is gathered in `Problems`."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.suggest import did_you_mean
from pyconsul.agent.config import coerce, definitions
from pyconsul.agent.config.compat import REFUSED, RENAMED, SILENT, UNSUPPORTED, is_off
from pyconsul.agent.config.definitions import maps_of, watches
from pyconsul.agent.config.problems import UNKNOWN_KEY, Problems
from pyconsul.agent.config.table import ROOT, Section, Setting, Values, put

_DEFINITIONS = {
    "service": ("services", definitions.services),
    "services": ("services", definitions.services),
    "check": ("checks", definitions.checks),
    "checks": ("checks", definitions.checks),
}


def decode(data: dict[str, Any], source: str, problems: Problems) -> Values:
    """Everything a file says; `source` is its path, for messages."""
    values: Values = {}
    plain = {}
    for key, value in data.items():
        name = key.lower()
        if value is None:
            continue
        if name in _DEFINITIONS:
            target, read = _DEFINITIONS[name]
            values[target] = (*values.get(target, ()), *read(value, source, name, problems))
        elif name == "watches":
            values[name] = watches(value, source, problems)
        else:
            plain[key] = value
    _decode_section(ROOT, plain, source, problems, values)
    return values


def _decode_section(section: Section, data: dict[str, Any], source: str, problems: Problems, values: Values) -> None:
    """`values` is always the outermost map: old keys may move to another section."""
    for given, value in data.items():
        name = given if given in section.entries else given.lower()
        key = section.path(name)
        entry = section.entries.get(name)
        if value is None:
            continue
        if key in UNSUPPORTED:
            if key in REFUSED and not is_off(value):
                problems.refusals.append(REFUSED[key].format(place=f"{source}: {key}"))
            elif key not in SILENT and not is_off(value):
                problems.unsupported[key] = UNSUPPORTED[key]
        elif key in RENAMED:
            _decode_renamed(key, value, source, problems, values)
        elif entry is None or (isinstance(entry, Setting) and entry.note.flag_only):
            problems.errors.append(f"{source}{UNKNOWN_KEY}{section.path(given)}{_hint(section, name)}")
        elif isinstance(entry, Section):
            for item in maps_of(value, source, key, problems):
                _decode_section(entry, item, source, problems, values)
        else:
            _decode_setting(entry, key, value, source, problems, values)


def _decode_setting(row: Setting, given: str, value: Any, source: str, problems: Problems, values: Values) -> None:
    try:
        put(values, row.key, coerce.from_file(row, value))
    except ValueError as error:
        place, wrong = (error.place, error.value) if isinstance(error, coerce.ItemError) else ("", value)
        problems.errors.append(coerce.refusal(row, f"{source}: {given}{place}", wrong, error))


def _decode_renamed(key: str, value: Any, source: str, problems: Problems, values: Values) -> None:
    new = RENAMED[key]
    entry: Section | Setting = ROOT
    for part in new.split("."):
        assert isinstance(entry, Section)
        entry = entry.entries[part]
    assert isinstance(entry, Setting)
    problems.warnings.append(f"{source}: {key} is an old name of {new}; use that")
    _decode_setting(entry, key, value, source, problems, values)


def _hint(section: Section, name: str) -> str:
    own = [key for key, entry in section.entries.items() if not isinstance(entry, Setting) or not entry.note.flag_only]
    prefix = f"{section.key}." if section.key else ""
    other = [key.removeprefix(prefix) for key in (*UNSUPPORTED, *RENAMED) if key.startswith(prefix)]
    extra = [] if section.key else [*_DEFINITIONS, "watches"]
    return did_you_mean(name.lower(), [*own, *extra, *(key for key in other if "." not in key)])
