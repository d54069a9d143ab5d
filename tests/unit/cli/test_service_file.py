"""Service definitions in HCL and JSON files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyconsul.cli.errors import CliError
from pyconsul.cli.service_file import services_in

HCL = """
# a comment
service {
  name = "web"
  id   = "web-1"
  port = 80
  tags = ["a", "b"]
  meta { version = "1" }
  weights = { passing = 2 }
  tagged_addresses { lan = { address = "10.0.0.1", port = 81 } }
  check {
    id   = "one"
    http = "http://localhost/?q=${x}"
    header = { Accept = ["text/plain"] }
    interval = "10s"
  }
  checks = [{ ttl = "1m" }]
}
"""


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_hcl(tmp_path: Path) -> None:
    (service,) = services_in(write(tmp_path, "web.hcl", HCL))
    assert service == {
        "Name": "web",
        "ID": "web-1",
        "Port": 80,
        "Tags": ["a", "b"],
        "Meta": {"version": "1"},
        "Weights": {"Passing": 2},
        "TaggedAddresses": {"lan": {"Address": "10.0.0.1", "Port": 81}},
        "Checks": [
            {
                "CheckID": "one",
                "HTTP": "http://localhost/?q=${x}",
                "Header": {"Accept": ["text/plain"]},
                "Interval": "10s",
            },
            {"TTL": "1m"},
        ],
    }


def test_several_blocks(tmp_path: Path) -> None:
    text = 'services {\n name = "one"\n}\nservices {\n name = "two"\n enable_tag_override = true\n}'
    assert services_in(write(tmp_path, "two.hcl", text)) == [
        {"Name": "one"},
        {"Name": "two", "EnableTagOverride": True},
    ]


def test_json_in_either_spelling(tmp_path: Path) -> None:
    document = {"service": {"Name": "a", "Check": {"TTL": "1s"}}, "services": [{"name": "b"}], "datacenter": "dc1"}
    found = services_in(write(tmp_path, "a.json", json.dumps(document)))
    assert found == [{"Name": "a", "Checks": [{"TTL": "1s"}]}, {"Name": "b"}]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bad.json", '{"service": {', "not JSON"),
        ("bad.json", "[]", "must hold an object"),
        ("bad.hcl", 'service { name = "x" ', "not HCL"),
        ("bad.json", '{"service": {"name": "x", "prot": 80}}', "'prot'. Did you mean port?"),
        ("bad.json", '{"service": {"name": "x", "check": {"tll": "1s"}}}', "service x: check: invalid key 'tll'"),
        ("bad.json", '{"service": "x"}', "must be an object"),
        ("bad.json", '{"service": {"name": "x", "check": {"args": ["true"]}}}', "agent's configuration"),
    ],
)
def test_mistakes_name_file_and_key(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(CliError) as caught:
        services_in(write(tmp_path, name, text))
    assert message in str(caught.value)
    assert name in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="cannot read"):
        services_in(str(tmp_path / "missing.json"))
