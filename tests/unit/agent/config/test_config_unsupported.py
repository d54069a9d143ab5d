"""No setting is accepted silently: the agent reads it, or a warning names it, or the agent refuses to start with it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pyconsul.agent.config.compat import is_off
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.load import load
from pyconsul.agent.config.table import BY_KEY, SETTINGS, Kind, Section, Setting
from pyconsul.agent.config.table import ROOT as ROOT_SECTION
from pyconsul.agent.config.validate import at_start

ROOT = Path(__file__).resolve().parents[4]
#: These print settings; that is no effect.
DISPLAYS = {"agent/httpapi/handlers/agent/self_info.py", "agent/runtime/summary.py", "agent/config/table.py"}
#: Names that hold a whole configuration.
CONFIGS = {"config", "fresh"}
#: Sections of one class that one function reads; the tests of the pools show that it is given both.
READ_AS = {"gossip_wan": "gossip_lan"}
#: Modules of agent/config whose decisions change what the agent does, beside checking what is written.
DECIDING = {
    "agent/config/host.py",
    "agent/config/config.py",
    "agent/config/resolve.py",
    "agent/config/validate.py",
}


def sections(section: Section) -> Iterator[tuple[str, str]]:
    """(class, name) of each section."""
    for name, entry in section.entries.items():
        if isinstance(entry, Section):
            yield entry.type.__name__, name
            yield from sections(entry)


SECTIONS = dict(sections(ROOT_SECTION))


@cache
def reads() -> frozenset[tuple[str, str]]:
    """(name of the section or `config`, name of the setting) of each attribute that the agent's code reads."""
    found: set[tuple[str, str]] = set()
    for path in (*(ROOT / "agent").rglob("*.py"), ROOT / "cli/commands/agent/run.py"):
        name = str(path.relative_to(ROOT))
        if name in DISPLAYS or (name.startswith("agent/config/") and name not in DECIDING):
            continue
        tree = ast.parse(path.read_text())
        aliases = dict(_aliases(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                holder = _last_name(node.value)
                if holder == "self" and name == "agent/config/config.py":
                    holder = "config"
                found.add((aliases.get(holder, holder), node.attr))
            # The tokens are read by name: acl.own("dns").
            elif isinstance(node, ast.Call) and _last_name(node.func) in ("own", "_own", "get"):
                found |= {("tokens", str(name.value)) for name in node.args[:1] if isinstance(name, ast.Constant)}
    return frozenset(found)


def _aliases(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Local names of sections: `dns = config.dns_config`, alone or in a tuple, and `limits: RequestLimits`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and isinstance(node.annotation, ast.Name) and node.annotation.id in SECTIONS:
            yield node.arg, SECTIONS[node.annotation.id]
        if isinstance(node, ast.Assign):
            (target,) = node.targets[:1]
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for name, value in pairs:
                if isinstance(name, ast.Name) and isinstance(value, ast.Attribute):
                    yield name.id, value.attr


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_read(row: Setting) -> bool:
    *sections, name = row.key.split(".")
    if not sections:
        return any((holder, name) in reads() for holder in CONFIGS)
    return (READ_AS.get(sections[-1], sections[-1]), name) in reads()


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.key)
def test_each_setting_is_read_or_said_to_be_unsupported(row: Setting) -> None:
    assert is_read(row) or row.note.unsupported or row.note.refused, f"{row.key} has no effect, and nothing says so"


def test_the_walk_notices_a_setting_without_a_reader() -> None:
    assert not is_read(BY_KEY["telemetry.dogstatsd_tags"])
    assert not is_read(BY_KEY["tls.https.verify_incoming"])
    assert is_read(BY_KEY["dns_config.node_ttl"])
    assert is_read(BY_KEY["acl.tokens.dns"])


def settings_with(row: Setting, folder: Path) -> Config:
    """What a file that gives this setting a value other than its default is read as."""
    value: Any = example(row)
    for name in reversed(row.key.split(".")):
        value = {name: value}
    path = folder / "agent.json"
    path.write_text(json.dumps({"node_name": "n1", **value}))
    return load([f"-data-dir={folder}", f"-config-file={path}"])


def example(row: Setting) -> Any:
    special = {
        "serf_wan": "127.0.0.9",
        "bootstrap_expect": 3, "addresses.grpc": "127.0.0.9",
        "addresses.grpc_tls": "127.0.0.9", "ui_config.metrics_provider_options_json": '{"a": 1}',
    }  # fmt: skip
    if row.key in special:
        return special[row.key]
    if row.key.endswith("tls_min_version"):
        return "TLSv1_2"
    match row.kind:
        case Kind.BOOL:
            return not row.default
        case Kind.INT | Kind.FLOAT:
            return row.default + 2
        case Kind.DURATION:
            return "77s"
        case Kind.LIST:
            return ["10.0.0.1"]
        case Kind.MAP:
            return {"a": "b"}
        case _:
            return "other"


UNSUPPORTED = [row for row in SETTINGS if row.note.unsupported and not row.note.flag_only]


@pytest.mark.parametrize("row", UNSUPPORTED, ids=lambda row: row.key)
def test_one_warning_names_an_unsupported_setting(row: Setting, tmp_path: Path) -> None:
    config = settings_with(row, tmp_path)
    lines = [line for line in config.warnings if "without effect" in line]
    assert len(lines) == 1
    assert row.key in lines[0]


@pytest.mark.parametrize("row", [row for row in SETTINGS if row.note.refused], ids=lambda row: row.key)
def test_an_agent_does_not_start_without_what_protects_it(row: Setting, tmp_path: Path) -> None:
    (error,) = at_start(settings_with(row, tmp_path))
    assert error.startswith(f"{row.key}: ")


def test_a_value_that_turns_nothing_on_is_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    path.write_text(json.dumps({
        "node_name": "n1", "data_dir": str(tmp_path), "server": True, "bootstrap_expect": 1, "retry_join": [], "encrypt": "",
        "tls": {"defaults": {"verify_incoming": False, "ca_file": ""}}, "auto_encrypt": {"tls": False}, "ports": {"grpc": -1},
    }))  # fmt: skip
    config = load([f"-config-file={path}"])
    assert config.warnings == ("BootstrapExpect is set to 1; this is the same as Bootstrap mode.",)
    assert at_start(config) == []


@pytest.mark.parametrize(
    ("expect", "comment"),
    [
        (2, "bootstrap_expect = 2: A cluster with 2 servers will provide no failure tolerance"),
        (3, ""),
        (
            4,
            "bootstrap_expect is even number: A cluster with an even number of servers does not achieve optimum fault tolerance",
        ),
    ],
)
def test_the_number_of_expected_servers_is_commented(expect: int, comment: str, tmp_path: Path) -> None:
    argv = ["-node=n1", f"-data-dir={tmp_path}", "-server", f"-bootstrap-expect={expect}", "-retry-join=10.1.1.1"]
    *comments, last = load(argv).warnings
    assert comments == ([comment] if comment else [])
    assert last == f"bootstrap_expect > 0: expecting {expect} servers"


def test_settings_of_gossip_alone_are_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "agent.hcl"
    path.write_text(
        'encrypt = "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s=" serf_lan_allowed_cidrs = ["10.0.0.0/8"]\n'
        'gossip_lan { probe_interval = "2s" } retry_interval = "5s" reconnect_timeout = "8h" rejoin_after_leave = true\n'
    )
    config = load(["-node=n1", f"-data-dir={tmp_path}", f"-config-file={path}"])
    assert config.warnings == ()
    assert (config.gossip_lan.probe_interval, config.gossip_lan.gossip_nodes) == (2.0, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("auto_encrypt { tls = true }", "auto_encrypt: this version has no TLS"),
        ("auto_config { enabled = true }", "auto_config: this version gets no settings"),
        ('ports { https = 8501 } tls { https { cert_file = "c.pem" } }', "ports.https: this version does not serve HTTPS"),
        ('segment = "alpha"', "Network segments are not supported in this version of Consul\n"),
        ('acl { enabled = true } primary_datacenter = "dc7"', "primary_datacenter: tokens and policies would come from 'dc7'"),
    ],
)  # fmt: skip
def test_more_that_refuses_the_start(text: str, words: str, tmp_path: Path) -> None:
    errors = at_start(load(["-node=n1", f"-data-dir={tmp_path}", "-hcl", text]))
    assert [error for error in errors if words in error] == errors != []


@pytest.mark.parametrize("value", [False, -1, 0, None, "", [], {}, {"a": False}, [{"a": [False]}], [{"a": {"b": ""}}]])
def test_what_is_off(value: object) -> None:
    assert is_off(value)


@pytest.mark.parametrize("value", [True, 1, "x", ["x"], {"a": False, "b": 1}, [{"a": True}]])
def test_what_is_on(value: object) -> None:
    assert not is_off(value)
