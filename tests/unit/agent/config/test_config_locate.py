"""The position of a setting in its file, which comes with an error about its value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.common.files.locate import position_of
from pyconsul.agent.config.load import load_files
from pyconsul.agent.config.problems import ConfigError

HCL = """\
# ports { http = 1 }
datacenter = "dc=1 { ports"
ports { http = -1, dns = 2 }
acl {
  tokens = { default = "x" }
}
service "labelled" {
  name = "a"
  check { interval = "1s" }
}
services = [{ name = "b" }, { name = "c", checks = [{ ttl = "1s" }] }]
notes = <<END
port = 1
END
last = 1
"""


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("datacenter", "datacenter ="),
        ("ports.dns", "dns = 2"),
        ("PORTS.HTTP", "http = -1"),
        ("acl.tokens.default", 'default = "x"'),
        ("service.check.interval", "interval"),
        ("services[1].name", 'name = "c"'),
        ("services[1].checks[0].ttl", "ttl"),
        ("last", "last"),
    ],
)
def test_a_setting_is_found(key: str, text: str) -> None:
    position = position_of(HCL, key)
    assert position is not None
    assert HCL[position:].startswith(text)


@pytest.mark.parametrize("key", ["port", "services.name", "missing", "acl.tokens", "datacenter.x", ""])
def test_a_position_that_is_not_certain_is_left_out(key: str) -> None:
    position = position_of(HCL, key)
    assert position is None or HCL[position:].startswith(key.rpartition(".")[2])


VALUES = st.recursive(
    st.integers() | st.text(max_size=5) | st.none() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcd", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text("abcd", min_size=1, max_size=3), VALUES, min_size=1, max_size=3), st.sampled_from([None, 2])
)
def test_every_key_of_a_json_object_is_found(value: dict[str, object], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    for key in value:
        position = position_of(text, key)
        assert position is not None
        assert text[position:].startswith(f'"{key}"')


def test_errors_name_line_and_column_without_secrets(tmp_path: Path) -> None:
    file = tmp_path / "a.hcl"
    file.write_text('data_dir = "/x"\nports {\n  http = "many"\n}\nencrypted = "hunter2"\n')
    with pytest.raises(ConfigError) as caught:
        load_files([str(file)])
    assert caught.value.details == (
        f'{file}:3:3: ports.http: http = "…"',
        f'{file}:5:1: encrypted: encrypted = "…"',
    )
