"""The settings of this agent that are in force, and where each comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pyconsul.agent.acl.rules import READ
from pyconsul.agent.config.changes import secrets, value_of
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.readers.sources import source_of
from pyconsul.agent.config.table import SETTINGS, Kind, Setting, written
from pyconsul.agent.ui.contract import Page, PageRoute
from pyconsul.agent.ui.pages.listing import words_match
from pyconsul.agent.ui.shown import plural
from pyconsul.agent.ui.visit import Visit

HIDDEN = "(hidden)"
USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/@\s]*@")
PRIVATE_MAPS = ("http_config.response_headers",)  # may hold credentials
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Row:
    """A setting.  source: a file, a flag, `-dev`, or that it is the default; is_given: it was set."""

    key: str
    value: str
    source: str
    is_given: bool
    is_reloadable: bool
    about: str
    default: str


def show(visit: Visit) -> Page:
    """Show the settings: those that are given; with `?show=all` every one."""
    visit.caller.require("agent", READ, visit.config.node_name)
    search, every = visit.params.get("filter", "").strip(), visit.params.get("show", "") == "all"
    rows = rows_of(visit.config)
    chosen = [row for row in rows if every or search or row.is_given]
    if search:
        chosen = [row for row in chosen if words_match(search, row.key, row.value, row.source, row.about)]
    data = {
        "rows": chosen,
        "all": len(rows),
        "search": search,
        "every": every,
        "files": visit.config.origin.files,
        "warnings": visit.config.warnings,
        "tab": "settings",
    }
    return Page("agent_settings.html", "Settings of the agent", "agent", data)


def rows_of(config: Config) -> list[Row]:
    """Return every setting as it is shown."""
    hidden = frozenset(secrets(config))
    return [_row(config, row, hidden) for row in SETTINGS if not row.note.unsupported]


def _row(config: Config, row: Setting, hidden: frozenset[str]) -> Row:
    value, source = value_of(config, row), source_of(row.key, config.origin.sources)
    if not source:
        source = DEFAULT if not row.note.computed or value == row.default else f"worked out: {row.note.computed}"
    return Row(
        row.key,
        shown_value(row, value, hidden),
        source,
        bool(source_of(row.key, config.origin.sources)),
        row.note.reloadable,
        row.note.doc,
        row.default_text,
    )


def shown_value(row: Setting, value: Any, hidden: frozenset[str]) -> str:
    """Return a value as a file would have it, without secrets."""
    if row.note.secret or (row.key in PRIVATE_MAPS and value):
        return HIDDEN if value else ""
    if row.kind in (Kind.DEFINITIONS, Kind.OBJECTS):
        return plural(len(value), "definition" if row.kind is Kind.DEFINITIONS else "object") if value else ""
    if row.kind in (Kind.MAP, Kind.DURATION_MAP):
        return ", ".join(f"{name}={_clean(str(text), hidden)}" for name, text in sorted(value.items()))
    return _clean(written(row.kind, value), hidden)


def _clean(text: str, hidden: frozenset[str]) -> str:
    """Return a text without secrets, and without passwords of URLs."""
    return HIDDEN if text in hidden else USERINFO.sub(rf"\1{HIDDEN}@", text)


PAGES = (PageRoute("agent/settings", show, local=True),)
