"""Differences between two configurations: keys that a reload applies, and keys that need a restart."""

from __future__ import annotations

from typing import Any, NamedTuple

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.table import SETTINGS, Setting


class Changed(NamedTuple):
    """Keys such as `dns_config.only_passing`, in the table's order."""

    reloadable: tuple[str, ...]
    restart: tuple[str, ...]


def changed(old: Config, new: Config) -> Changed:
    """The keys whose values differ."""
    rows = [row for row in SETTINGS if value_of(old, row) != value_of(new, row)]
    return Changed(
        tuple(row.key for row in rows if row.note.reloadable),
        tuple(row.key for row in rows if not row.note.reloadable),
    )


def value_of(config: Config, row: Setting) -> Any:
    """The value of one setting."""
    value: Any = config
    for name in row.key.split("."):
        value = getattr(value, name)
    return value


def secrets(config: Config) -> tuple[str, ...]:
    """The values that no log may show: of secret settings, and the tokens of definitions."""
    found = [value_of(config, row) for row in SETTINGS if row.note.secret]
    bodies = [definition.body for definition in (*config.services, *config.checks)]
    bodies += [check for body in bodies for check in body.get("checks", ())]
    found += [body.get("token", "") for body in (*bodies, *config.watches)]
    return tuple(str(value) for value in found if value)
