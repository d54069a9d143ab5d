"""The options of guards, and which limits they give a service. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pyconsul.tools.hclfile import ConfigError
from pyconsul.tools.settings import DURATION, TEXT, Kind, Option, Settings
from pyconsul.tools.template.guard import GuardLimits


def _count(value: Any) -> int:
    try:
        if isinstance(value, bool) or int(value) != float(value) or int(value) < 0:
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"invalid number of instances {value!r}: use a whole number from 0") from None


def _share(value: Any) -> float:
    """`50%`, `"50%"` or `0.5` as 0.5."""
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
    "Share of a service's instances that may go away within the drop window, such as 50%; if more go, the last ones "
    "stay in force, and the service in services()"
)

GUARD_OPTIONS: tuple[Option, ...] = (
    Option("template[].min_instances", COUNT, "As min_instances, for this template alone"),
    Option("template[].max_drop", SHARE, "As max_drop, for this template alone"),
    Option("template[].drop_window", DURATION, "As drop_window, for this template alone"),
    Option("min_instances", COUNT, _MIN, flags=("min-instances",)),
    Option("max_drop", SHARE, _DROP, flags=("max-drop",)),
    Option("drop_window", DURATION, "How far back a drop is measured", 300.0, flags=("drop-window",)),
    Option("guard[].service", TEXT, "Service that the block is about, or a pattern such as web-*; wins over templates"),
    Option("guard[].min_instances", COUNT, "As min_instances, for these services"),
    Option("guard[].max_drop", SHARE, "As max_drop, for these services"),
    Option("guard[].drop_window", DURATION, "As drop_window, for these services"),
)


@dataclass(frozen=True)
class Rule:
    """Of one `guard` block; None leaves what held before."""

    service: str
    min_instances: int | None = None
    max_drop: float | None = None
    window: float | None = None


@dataclass(frozen=True)
class GuardRules:
    """The limits of one template. `rules`: later ones win."""

    default: GuardLimits
    rules: tuple[Rule, ...] = ()

    def limits(self, service: str) -> GuardLimits | None:
        """Those of a service; None when it has none."""
        least, drop, window = self.default.min_instances, self.default.max_drop, self.default.window
        for rule in self.rules:
            if fnmatchcase(service, rule.service):
                least = least if rule.min_instances is None else rule.min_instances
                drop = drop if rule.max_drop is None else rule.max_drop
                window = window if rule.window is None else rule.window
        return GuardLimits(least, drop, window) if least is not None or drop is not None else None


def guard_rules(settings: Settings, template: Mapping[str, Any]) -> GuardRules | None:
    """The rules for one template's block; None when nothing is guarded. Raises ConfigError."""
    rules = tuple(_rule(block) for block in settings.blocks("guard"))
    least, drop, window = (
        settings[key] if template.get(key) is None else template[key]
        for key in ("min_instances", "max_drop", "drop_window")
    )
    if least is None and drop is None and not rules:
        return None
    return GuardRules(GuardLimits(least, drop, window), rules)


def _rule(block: Mapping[str, Any]) -> Rule:
    service = block.get("service", "")
    if not service:
        raise ConfigError('a guard block names no service: give service = "web", or a pattern such as "web-*"')
    if block.get("min_instances") is None and block.get("max_drop") is None:
        raise ConfigError(f"the guard of {service} has no limit: give min_instances, max_drop or both")
    return Rule(service, block.get("min_instances"), block.get("max_drop"), block.get("drop_window"))
