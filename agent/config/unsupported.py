"""Settings that are given and have no effect here: one warning names them, or the agent refuses to start with them."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.config.decode import Values
from pyconsul.agent.config.lacking import is_off
from pyconsul.agent.config.problems import Problems
from pyconsul.agent.config.setting import CLUSTERING
from pyconsul.agent.config.table import SETTINGS, Setting


def note_unsupported(given: Values, problems: Problems) -> None:
    """Look at the settings that files and flags give, not at those of -dev.

    A value that equals the default, or turns off what is off anyway, is without a warning.
    """
    if given.get("server") is False and not given.get("dev_mode"):
        problems.alone.append("server = false")
    for row in SETTINGS:
        value = _value(given, row.key)
        if not _matters(row, value):
            continue
        if row.note.refused:
            problems.refusals.append(f"{row.key}: {row.note.refused}")
        elif row.note.unsupported == CLUSTERING:
            problems.alone.append(f"bootstrap_expect = {value}" if row.key == "bootstrap_expect" else row.key)
        elif row.note.unsupported:
            problems.lacking[row.key] = row.note.unsupported
    _note_https(given, problems)


def _value(values: Values, key: str) -> Any:
    """The value of a whole key; None when it is not given."""
    found: Any = values
    for name in key.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _matters(row: Setting, value: Any) -> bool:
    if value is None or value == row.default or (row.key == "bootstrap_expect" and value == 1):
        return False
    return not (is_off(value) and is_off(row.default))


def _note_https(given: Values, problems: Problems) -> None:
    """HTTPS without a certificate cannot be used in Consul either; with one, somebody relies on it."""
    if (_value(given, "ports.https") or -1) <= 0:
        return
    if _value(given, "tls.https.cert_file") or _value(given, "tls.defaults.cert_file"):
        problems.refusals.append(
            "ports.https: this version does not serve HTTPS; remove the port, and let a proxy with TLS serve the HTTP API "
            "of this agent (addresses.http can be a unix socket)"
        )
    else:
        problems.lacking["ports.https"] = "HTTPS"
