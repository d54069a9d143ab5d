"""The agent's own tokens: set over the API, kept in a file, changed by a reload."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.acl import ACL, ACLTokens
from pyconsul.agent.sync.agent_tokens import FILE, agent_tokens


def config(folder: Path, **tokens: str) -> Config:
    return Config(data_dir=str(folder), acl=ACL(enable_token_persistence=True, tokens=ACLTokens(**tokens)))


def test_what_is_set_is_found_after_a_restart(tmp_path: Path) -> None:
    agent_tokens(config(tmp_path, default="settings")).set("default", "api")
    again = agent_tokens(config(tmp_path, default="settings", agent="other"))
    assert (again.get("default"), again.get("agent"), again.get("dns")) == ("api", "other", "")
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    assert agent_tokens(config(tmp_path, default="settings")).get("default") == "settings"


def test_a_token_that_cannot_be_kept_is_not_used(tmp_path: Path) -> None:
    tokens = agent_tokens(config(tmp_path / "missing", default="settings"))
    with pytest.raises(OSError, match="No such file"):
        tokens.set("default", "api")
    assert tokens.get("default") == "settings"


def test_a_reload_changes_what_the_settings_change(tmp_path: Path) -> None:
    tokens = agent_tokens(config(tmp_path, default="a", agent="b"))
    tokens.set("default", "api")
    tokens.set("agent", "api")
    tokens.reload(ACLTokens(default="a", agent="c"))
    assert (tokens.get("default"), tokens.get("agent")) == ("api", "c")
