"""What is in force, and when a reload is needed whatever the servers are."""

from __future__ import annotations

import pytest

from pyconsul.tools.template.haproxy.loaded_config import Files, LoadedConfig
from pyconsul.tools.template.haproxy.servers import NeedsReload


def files(servers: str = "", other: bytes = b"") -> Files:
    return Files({"h.cfg": "defaults\n", "b.cfg": f"backend b\n{servers}"}, {"map": other})


NEW = files("server a 10.0.0.1:80")


def test_a_server_more_needs_no_reload() -> None:
    force = LoadedConfig(files())
    update = force.update_to(NEW)
    assert update.added == ["b/a"]
    force.take(NEW, update.leaving)
    assert force.update_to(NEW).commands == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (files(), files("server a 10.0.0.1:80", b"new"), "map has changed"),
        (files(), files("server 'a 10.0.0.1:80"), "line 2: a quote"),
        (files(".if TRUE\n"), NEW, "condition"),
    ],
)
def test_changes_that_need_a_reload(old: Files, new: Files, why: str) -> None:
    with pytest.raises(NeedsReload, match=why):
        LoadedConfig(old).update_to(new)


def test_after_a_failure_nothing_is_certain_until_the_files_have_been_read() -> None:
    force = LoadedConfig(files(), certain=False)
    with pytest.raises(NeedsReload, match="failed"):
        force.update_to(NEW)
    force.take(files())
    assert force.update_to(NEW).commands
