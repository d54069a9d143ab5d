"""The options of guards. Declarations only: every start loads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyconsul.agent.common.options import Kind, Option
from pyconsul.tools.options.settings import DURATION, TEXT, Settings


def _count(value: Any) -> int:
    try:
        if isinstance(value, bool) or int(value) != float(value) or int(value) < 0:
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"invalid number of instances {value!r}: use a whole number from 0") from None


def _share(value: Any) -> float:
    """Parse `50%`, `"50%"` or `0.5` to 0.5."""
    text = str(value).strip()
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = -1.0
    if isinstance(value, bool) or not 0 <= share <= 1:
        raise ValueError(f"invalid share {value!r}: use a percentage, such as 50%, or a number from 0 to 1")
    return share


COUNT = Kind("int", _count)
SHARE = Kind("share", _share)

_MIN = (
    "Fewest instances that a service may have; with fewer the last ones stay in force, and the service in services(), "
    "or the first are waited for"
)
_DROP = (
    "Share of a service's instances that may go away within the drop window, such as 50%. If more go, the last "
    "accepted list stays in use, and services() keeps the service"
)

MIN_INSTANCES = Option(
    "min_instances",
    COUNT,
    "Minimum number of instances. Below it, the last accepted list stays in use; at start-up, rendering waits",
    None,
    flags=("min-instances",),
)
DROP_WINDOW = Option("drop_window", DURATION, "Time window of max_drop", 300.0, flags=("drop-window",))
MAX_DROP = Option("max_drop", SHARE, _DROP, None, flags=("max-drop",))
GUARD_OPTIONS: tuple[Option[Any], ...] = (
    Option("template[].min_instances", COUNT, "As min_instances, for this template alone", None),
    Option("template[].max_drop", SHARE, "As max_drop, for this template alone", None),
    Option("template[].drop_window", DURATION, "As drop_window, for this template alone", None),
    MIN_INSTANCES,
    MAX_DROP,
    DROP_WINDOW,
    Option(
        "guard[].service",
        TEXT,
        "Service of the block, or a pattern such as web-*; overrides the limits of templates",
        None,
    ),
    Option("guard[].min_instances", COUNT, "As min_instances, for these services", None),
    Option("guard[].max_drop", SHARE, "As max_drop, for these services", None),
    Option("guard[].drop_window", DURATION, "As drop_window, for these services", None),
)


def is_guarded(settings: Settings, template: Mapping[str, Any]) -> bool:
    """Return whether limits or `guard` blocks are given for one template's block."""
    given = (
        settings[option] if template.get(option.key) is None else template[option.key]
        for option in (MIN_INSTANCES, MAX_DROP)
    )
    return any(limit is not None for limit in given) or bool(settings.blocks("guard"))
