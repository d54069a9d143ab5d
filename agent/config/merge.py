"""Several sources put together by Consul's rules: lists and definitions append, maps merge, other values replace."""

from __future__ import annotations

from pyconsul.agent.config.decode import Values, put
from pyconsul.agent.config.table import GATHERED, ROOT, SETTINGS, Kind, Section


def merged(*sources: Values) -> Values:
    """The sources in order, later ones over earlier ones; none of them is changed."""
    result: Values = {}
    for source in sources:
        _merge(ROOT, result, source)
    return result


def dev_values() -> Values:
    """What -dev sets before files and flags are read."""
    values: Values = {}
    for row in SETTINGS:
        if row.note.dev is not None:
            put(values, row.key, row.note.dev)
    return values


def _merge(section: Section, target: Values, source: Values) -> None:
    for name, value in source.items():
        entry = section.entries[name]
        if isinstance(entry, Section):
            _merge(entry, target.setdefault(name, {}), value)
        elif name not in target or entry.kind not in GATHERED:
            target[name] = value
        elif entry.kind in (Kind.MAP, Kind.DURATION_MAP):
            target[name] = {**target[name], **value}
        else:
            target[name] = (*target[name], *value)
