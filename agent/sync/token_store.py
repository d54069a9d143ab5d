"""Keeps tokens set over the API in the data folder (`acl.enable_token_persistence`), in the file that Consul keeps them in."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from pyconsul.agent.config.config import Config
from pyconsul.agent.sync.tokens import NAMES, AgentTokens

FILE = "acl-tokens.json"

log = logging.getLogger("agent")


def agent_tokens(config: Config) -> AgentTokens:
    """The tokens to start with; those of the file win over the settings, as Consul has it."""
    if config.dev_mode or not config.data_dir or not config.acl.enable_token_persistence:
        return AgentTokens(config.acl.tokens)
    path = Path(config.data_dir, FILE)
    return AgentTokens(config.acl.tokens, _read(path), lambda tokens: _write(path, tokens))


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.error("the tokens in %s cannot be read, those of the settings hold: %s", path, error)
        return {}
    known = set(NAMES.values())
    return {name: token for name, token in found.items() if name in known and isinstance(token, str)}


def _write(path: Path, tokens: Mapping[str, str]) -> None:
    """Raises OSError."""
    temporary = path.with_suffix(".new")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(dict(tokens), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
