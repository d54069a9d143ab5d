"""The options of de-duplication, and the name of a template in a fleet."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import Settings, load_settings, parse_flags
from pyconsul.tools.template.dedup.share_identity import with_share_id
from pyconsul.tools.template.options.dedup import (
    DEDUP_OPTIONS,
    DEDUPLICATE_ENABLED,
    DEDUPLICATE_PREFIX,
    DEDUPLICATE_TTL,
)
from pyconsul.tools.template.options.table import OPTIONS
from pyconsul.tools.template.spec import Spec


def settings_of(folder: Path, text: str) -> Settings:
    (folder / "c.hcl").write_text(text)
    return load_settings(OPTIONS, parse_flags(OPTIONS, ["-config", str(folder / "c.hcl")]), {})


def test_defaults() -> None:
    settings = load_settings(DEDUP_OPTIONS, parse_flags(DEDUP_OPTIONS, []), {})
    assert settings[DEDUPLICATE_ENABLED] is False
    assert settings[DEDUPLICATE_PREFIX] == "consul-template/dedup/"
    assert settings[DEDUPLICATE_TTL] == 15.0


def test_a_block(tmp_path: Path) -> None:
    block = 'deduplicate { enabled = true  prefix = "/fleet/dedup"  ttl = "1m"  max_stale = "2s" }'
    settings = settings_of(tmp_path, block)
    assert settings[DEDUPLICATE_ENABLED] is True
    assert settings[DEDUPLICATE_PREFIX] == "fleet/dedup/"
    assert settings[DEDUPLICATE_TTL] == 60.0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('ttl = "9s"', "Consul allows 10s to 24h"),
        ('ttl = "25h"', "Consul allows 10s to 24h"),
        ('prefix = "/"', "use a folder of keys"),
        ('prefx = "a"', "prefx"),
    ],
)
def test_bad_values(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        settings_of(tmp_path, f"deduplicate {{ {line} }}")


def test_the_same_template_has_the_same_name_everywhere(tmp_path: Path) -> None:
    source = tmp_path / "a.j2"
    source.write_text("{{ key('a') }}")
    here = with_share_id(Spec("/etc/a", source=str(source))).share
    assert here == with_share_id(Spec("/srv/b", contents="{{ key('a') }}", perms=0o600)).share
    assert here is not None
    assert here.template == str(source)
    others = [
        Spec("/etc/a", contents="{{ key('b') }}"),
        Spec("/etc/a", contents="{{ key('a') }}", syntax="go"),
        Spec("/etc/a", contents="{{ key('a') }}", left="<<"),
        Spec("/etc/{{ item }}", contents="{{ key('a') }}", for_each="services()"),
    ]
    assert len({here, *(with_share_id(other).share for other in others)}) == 5
