"""The settings of autopilot: one row, which exists after the first change."""

from __future__ import annotations

from msgspec.structs import replace

from pyconsul.agent.model.autopilot import AutopilotSettings
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import AUTOPILOT
from pyconsul.agent.state.write_txn import WriteTxn

ONLY = "settings"  # the key of the one row
TOPIC = "autopilot-config"


def current(view: View, default: AutopilotSettings) -> AutopilotSettings:
    """Return the settings; before the first change those of the configuration, with index 1."""
    return view[AUTOPILOT].get(ONLY) or replace(default, create_index=1, modify_index=1)


def change(txn: WriteTxn, settings: AutopilotSettings, default: AutopilotSettings, cas: int | None = None) -> bool:
    """Set all settings; with `cas` only when their ModifyIndex is that one."""
    old = current(txn, default)
    if cas is not None and cas != old.modify_index:
        return False
    txn.put(AUTOPILOT, replace(settings, create_index=old.create_index, modify_index=txn.index))
    txn.raise_index(TOPIC)
    return True
