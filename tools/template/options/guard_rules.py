"""Which limits the options of guards give a service. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.options import Option, T
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.template.evaluate.guard import GuardLimits
from pyconsul.tools.template.options.guard import DROP_WINDOW, MAX_DROP, MIN_INSTANCES, is_guarded

if TYPE_CHECKING:
    from pyconsul.tools.options.settings import Settings


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
        """Return those of a service; None when it has none."""
        least, drop, window = self.default.min_instances, self.default.max_drop, self.default.window
        for rule in self.rules:
            if fnmatchcase(service, rule.service):
                least = least if rule.min_instances is None else rule.min_instances
                drop = drop if rule.max_drop is None else rule.max_drop
                window = window if rule.window is None else rule.window
        return GuardLimits(least, drop, window) if least is not None or drop is not None else None


def guard_rules(settings: Settings, template: Mapping[str, Any]) -> GuardRules | None:
    """Return the rules for one template's block; None when nothing is guarded. Raises ConfigError."""
    if not is_guarded(settings, template):
        return None
    rules = tuple(_rule(block) for block in settings.blocks("guard"))

    def value(option: Option[T]) -> T:
        own: T | None = template.get(option.key)
        return settings[option] if own is None else own

    return GuardRules(GuardLimits(value(MIN_INSTANCES), value(MAX_DROP), value(DROP_WINDOW)), rules)


def _rule(block: Mapping[str, Any]) -> Rule:
    service = block.get("service", "")
    if not service:
        raise ConfigError('a guard block names no service: give service = "web", or a pattern such as "web-*"')
    if block.get("min_instances") is None and block.get("max_drop") is None:
        raise ConfigError(f"the guard of {service} has no limit: give min_instances, max_drop or both")
    return Rule(service, block.get("min_instances"), block.get("max_drop"), block.get("drop_window"))
