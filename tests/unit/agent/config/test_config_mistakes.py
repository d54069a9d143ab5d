"""Files as found in the wild: what loads, and what a person is told about those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.load import ConfigError, load


def loaded(folder: Path, name: str, text: str) -> Config:
    path = folder / name
    path.write_text(text)
    return load(["-dev", "-node=n1", f"-config-file={path}"])


def refusal(folder: Path, name: str, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, name, text)
    return caught.value


def test_every_mistake_of_an_hcl_file_has_its_place(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a.hcl", 'datacenter = dc1\nports {\n  http = 1\nnode_name = "x"\n')
    assert error.errors == (
        f'failed to parse {tmp_path}/a.hcl:1:14: put the value in quotes: "dc1": datacenter = dc1',
        f"failed to parse {tmp_path}/a.hcl:2:7: the block ports {{ is never closed; it ends with }}: ports {{",
    )


def test_a_json_file_is_refused_in_the_words_of_go_with_a_place_beside_them(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a.json", '{\n "node_name": "x"\n "acl": {"tokens": {"agent": "a-secret-token"}}\n}')
    assert error.errors == (f"failed to parse {tmp_path}/a.json: invalid character '\"' after object key:value pair",)
    assert error.details == (
        f'{tmp_path}/a.json:3:2: this is where JSON cannot be read: "acl": {{"tokens": {{"agent": "…"}}}}',
    )


def test_a_label_of_a_block_gets_a_hint(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, "a.hcl", 'service "web" {\n  port = 80\n}\n').errors
    assert line.endswith('invalid config key service.web; a block has no label here, write name = "web" inside of it')


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            'config_entries { bootstrap = [ { kind="proxy-defaults" name="global" config { x = 1 } } ] }',
            "config_entries",
        ),
        (
            'tagged_addresses { wan = "1.2.3.4" }',
            "tagged_addresses (Consul ignores it as well; use advertise_addr_wan)",
        ),
        ('version = "1.21.4"\nrevision = "x"\nversion_prerelease = ""\nversion_metadata = ""\nbuild_date = "2025"', ""),
    ],
)
def test_what_consul_reads_loads(text: str, warning: str, tmp_path: Path) -> None:
    warnings = loaded(tmp_path, "a.hcl", text).warnings
    assert len(warnings) == bool(warning)
    assert not warning or warning in warnings[0]


def test_blocks_in_a_list_of_services(tmp_path: Path) -> None:
    text = 'services = [{\n name = "a"\n check { id = "1" ttl = "5s" }\n check { id = "2" ttl = "6s" }\n}, { name = "b" }]\n'
    first, second = loaded(tmp_path, "a.hcl", text).services
    assert [check["id"] for check in first.body["checks"]] == ["1", "2"]
    assert second.body == {"name": "b"}
