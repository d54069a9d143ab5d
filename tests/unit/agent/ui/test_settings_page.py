"""Settings as the page of the agent shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyconsul.agent.config.load import load
from pyconsul.agent.ui.pages.local.log import mark_of
from pyconsul.agent.ui.pages.local.settings import HIDDEN, rows_of

SECRET = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s="


def shown(tmp_path: Path, **settings: object) -> dict[str, tuple[str, str, bool]]:
    file = tmp_path / "agent.json"
    file.write_text(json.dumps(settings))
    rows = rows_of(load(["-dev", f"-config-file={file}"]))
    return {row.key: (row.value, row.source.replace(str(file), "FILE"), row.is_given) for row in rows}


def test_values_are_shown_as_files_have_them(tmp_path: Path) -> None:
    rows = shown(tmp_path, ports={"http": 7}, node_meta={"b": "2", "a": "1"}, leave_on_terminate=True)
    assert rows["ports.http"] == ("7", "FILE", True)
    assert rows["node_meta"] == ("a=1, b=2", "FILE", True)
    assert rows["leave_on_terminate"] == ("true", "FILE", True)
    assert rows["datacenter"] == ("dc1", "default", False)
    assert rows["ui_config.enabled"] == ("true", "-dev", True)


def test_a_value_that_is_worked_out_says_from_what(tmp_path: Path) -> None:
    value, source, given = shown(tmp_path)["node_name"]
    assert value
    assert source == "worked out: the host's name"
    assert not given


def test_no_secret_is_shown(tmp_path: Path) -> None:
    token = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
    rows = shown(
        tmp_path,
        encrypt=SECRET,
        acl={"tokens": {"initial_management": token, "agent": token}},
        service={"name": "web", "token": "service-secret", "check": {"http": "http://u:pass@x", "interval": "9s"}},
        http_config={"response_headers": {"X": "header-secret"}},
        node_meta={"url": "https://user:password@host/"},
    )
    text = repr(rows)
    assert all(part not in text for part in (SECRET, token, "service-secret", "header-secret", "user:", "u:pass"))
    assert rows["encrypt"] == (HIDDEN, "FILE", True)
    assert rows["services"] == ("1 definition", "FILE", True)
    assert rows["node_meta"][0] == f"url=https://{HIDDEN}@host/"


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ("2026-01-01T00:00:00.000Z [INFO]  agent: x: [ERROR]", ""),
        ("2026-01-01T00:00:00.000Z [WARN]  agent: x", "warning"),
        ("2026-01-01T00:00:00.000Z [ERROR] agent: x", "critical"),
    ],
)
def test_lines_are_marked_by_their_level(line: str, mark: str) -> None:
    assert mark_of(line) == mark
