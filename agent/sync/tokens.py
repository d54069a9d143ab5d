"""The tokens that an agent uses itself: from its settings, or set over the API while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from pyconsul.agent.config.sections.acl import ACLTokens

# What the API calls them, old names too (https://developer.hashicorp.com/consul/api-docs/agent#update-acl-tokens).
NAMES = {
    "default": "default", "acl_token": "default",
    "agent": "agent", "acl_agent_token": "agent",
    "agent_recovery": "agent_recovery", "agent_master": "agent_recovery", "acl_agent_master_token": "agent_recovery",
    "replication": "replication", "acl_replication_token": "replication",
    "config_file_service_registration": "config_file_service_registration",
    "dns": "dns",
}  # fmt: skip


class AgentTokens:
    """The tokens in use; what was set over the API holds until the settings change it.

    `kept` was set before the last restart; `keep` is given everything that is set, whenever that changes.  `changed`, which
    others may set, is called when other tokens are in use.
    """

    def __init__(
        self,
        settings: ACLTokens,
        kept: Mapping[str, str] | None = None,
        keep: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self._settings = settings
        self._set = dict(kept or {})
        self._keep = keep
        self.changed: Callable[[], None] = lambda: None

    def get(self, name: str) -> str:
        """A token by its name in the settings; empty when there is none."""
        return str(self._set.get(name, getattr(self._settings, name)))

    def set(self, name: str, token: str) -> None:
        """Use another token from now on.  Raises OSError when it cannot be kept, and is not used."""
        if self._keep is not None:
            self._keep({**self._set, name: token})
        self._set[name] = token
        self.changed()

    def reload(self, settings: ACLTokens) -> None:
        """The settings were read anew: those that changed hold."""
        old = msgspec.structs.asdict(self._settings)
        for name, token in msgspec.structs.asdict(settings).items():
            if token != old[name]:
                self._set.pop(name, None)
        self._settings = settings
        self.changed()
