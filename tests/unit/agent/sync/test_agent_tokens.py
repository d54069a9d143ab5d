"""The agent's own tokens: set over the API, kept in a file, changed by a reload."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.acl import ACL, ACLTokens
from pyconsul.agent.sync.agent_tokens import FILE, AgentTokens, agent_tokens


def started(folder: Path, on_change: Callable[[], None] = lambda: None, **tokens: str) -> AgentTokens:
    acl = ACL(enable_token_persistence=True, tokens=ACLTokens(**tokens))
    return agent_tokens(Config(data_dir=str(folder), acl=acl), on_change)


def test_tokens_survive_a_restart(tmp_path: Path) -> None:
    started(tmp_path, default="settings").set("default", "api")
    again = started(tmp_path, default="settings", agent="other")
    assert (again.get("default"), again.get("agent"), again.get("dns")) == ("api", "other", "")
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    assert started(tmp_path, default="settings").get("default") == "settings"


def test_a_token_that_cannot_be_kept_is_not_used(tmp_path: Path) -> None:
    tokens = started(tmp_path / "missing", default="settings")
    with pytest.raises(OSError, match="No such file"):
        tokens.set("default", "api")
    assert tokens.get("default") == "settings"


def test_a_reload_changes_the_configured_tokens(tmp_path: Path) -> None:
    tokens = started(tmp_path, default="a", agent="b")
    tokens.set("default", "api")
    tokens.set("agent", "api")
    tokens.reload(ACLTokens(default="a", agent="c"))
    assert (tokens.get("default"), tokens.get("agent")) == ("api", "c")


def test_every_change_is_announced(tmp_path: Path) -> None:
    changes: list[str] = []
    tokens = started(tmp_path, lambda: changes.append("changed"), default="a")
    tokens.set("default", "b")
    tokens.reload(ACLTokens(default="c"))
    assert changes == ["changed", "changed"]
