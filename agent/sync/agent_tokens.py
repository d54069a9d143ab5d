"""The tokens that the agent itself uses: from its settings, or set over the API and kept in the data folder.

Their file is that of Consul (`acl.enable_token_persistence`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from pyconsul.agent.common.files.atomic_file import write_file
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.acl import ACLTokens

FILE = "acl-tokens.json"

log = logging.getLogger("agent")


def agent_tokens(config: Config, on_change: Callable[[], None]) -> AgentTokens:
    """Return the tokens to start with; those of the file take precedence over the settings, as in Consul."""
    if config.dev_mode or not config.data_dir or not config.acl.enable_token_persistence:
        return AgentTokens(config.acl.tokens, on_change)
    path = Path(config.data_dir, FILE)
    return AgentTokens(config.acl.tokens, on_change, _read(path), lambda tokens: _write(path, tokens))


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.error("cannot read the tokens in %s, using those of the settings: %s", path, error)
        return {}
    known = set(NAMES.values())
    return {name: token for name, token in found.items() if name in known and isinstance(token, str)}


def _write(path: Path, tokens: Mapping[str, str]) -> None:
    """Raises OSError."""
    write_file(path, json.dumps(dict(tokens)).encode())


# Their names in the API, old ones too (https://developer.hashicorp.com/consul/api-docs/agent#update-acl-tokens).
NAMES = {
    "default": "default", "acl_token": "default",
    "agent": "agent", "acl_agent_token": "agent",
    "agent_recovery": "agent_recovery", "agent_master": "agent_recovery", "acl_agent_master_token": "agent_recovery",
    "replication": "replication", "acl_replication_token": "replication",
    "config_file_service_registration": "config_file_service_registration",
    "dns": "dns",
}  # fmt: skip


class AgentTokens:
    """The tokens in use; a token set over the API is used until the settings change it.

    on_change: called when other tokens are in use.   stored: tokens set before the last restart.
    store: called with all tokens that are set whenever one is; raises OSError.
    """

    def __init__(
        self,
        settings: ACLTokens,
        on_change: Callable[[], None],
        stored: Mapping[str, str] | None = None,
        store: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self._settings = settings
        self._on_change = on_change
        self._set = dict(stored or {})
        self._store = store

    def get(self, name: str) -> str:
        """Return a token by its name in the settings; empty when it is not set."""
        return str(self._set.get(name, getattr(self._settings, name)))

    def set(self, name: str, token: str) -> None:
        """Use another token from now on.  Raises OSError when it cannot be stored; then it is not used."""
        if self._store is not None:
            self._store({**self._set, name: token})
        self._set[name] = token
        self._on_change()

    def reload(self, settings: ACLTokens) -> None:
        """Apply reloaded settings: tokens that changed there replace those set over the API."""
        old = msgspec.structs.asdict(self._settings)
        for name, token in msgspec.structs.asdict(settings).items():
            if token != old[name]:
                self._set.pop(name, None)
        self._settings = settings
        self._on_change()
