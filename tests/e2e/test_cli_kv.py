"""`pyconsul kv` against a running agent."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[bytes]]


def test_a_value_comes_back_byte_by_byte(pyconsul: Run, tmp_path: Path) -> None:
    value = bytes(range(256)) * 300
    (tmp_path / "value").write_bytes(value)
    assert pyconsul("kv", "put", "bytes/file", "@value").returncode == 0
    assert pyconsul("kv", "get", "bytes/file").stdout == value + b"\n"
    assert pyconsul("kv", "put", "bytes/stdin", "-", stdin=value).returncode == 0
    assert pyconsul("kv", "get", "bytes/stdin").stdout == value + b"\n"


def test_keys_of_any_characters(pyconsul: Run) -> None:
    for key in ("odd/a b", "odd/ä?&=#%2F+", "odd/'\"<>\\", "odd/:@~"):
        assert pyconsul("kv", "put", key, key).stdout.decode() == f"Success! Data written to: {key}\n"
        assert pyconsul("kv", "get", key).stdout.decode() == f"{key}\n"
    assert pyconsul("kv", "put", b"odd/\xff", b"\xfe").returncode == 0
    assert b"\xfe\n" in pyconsul("kv", "get", b"odd/\xff").stdout
    assert len(pyconsul("kv", "get", "-keys", "odd/").stdout.splitlines()) == 5
    assert pyconsul("kv", "delete", "-recurse", "odd/").returncode == 0
    assert pyconsul("kv", "get", "-keys", "odd/").stdout == b""


def test_values_that_look_like_flags_or_files(pyconsul: Run) -> None:
    assert pyconsul("kv", "put", "like/flag", "-5").returncode == 0
    assert pyconsul("kv", "get", "like/flag").stdout == b"-5\n"
    assert pyconsul("kv", "put", "like/empty", "").returncode == 0
    assert pyconsul("kv", "get", "like/empty").stdout == b"\n"


def test_formats(pyconsul: Run) -> None:
    pyconsul("kv", "put", "-flags=7", "format/a", "1")
    entry = json.loads(pyconsul("kv", "get", "-format=json", "format/a").stdout)
    assert (entry["Key"], entry["Flags"], entry["Value"]) == ("format/a", 7, "MQ==")
    assert b"Key: format/a" in pyconsul("kv", "get", "-recurse", "-format=yaml", "format/").stdout
    assert json.loads(pyconsul("kv", "get", "-keys", "-format=json", "format/").stdout) == ["format/a"]
    assert pyconsul("kv", "get", "-detailed", "format/a").stdout.splitlines()[2] == b"Key              format/a"


def test_export_and_import(pyconsul: Run) -> None:
    for key in ("tree/a", "tree/b/c"):
        pyconsul("kv", "put", key, key)
    exported = pyconsul("kv", "export", "tree/").stdout
    assert pyconsul("kv", "delete", "-recurse", "tree/").returncode == 0
    assert pyconsul("kv", "import", "-", stdin=exported).stdout == b"Imported: tree/a\nImported: tree/b/c\n"
    assert pyconsul("kv", "export", "tree/").stdout == exported


def test_an_import_with_a_mistake_writes_nothing(pyconsul: Run) -> None:
    data = '[{"key": "half/a", "value": "YQ=="}, {"key": "half/b", "value": "%%%"}]'
    done = pyconsul("kv", "import", data)
    assert done.returncode == 1
    assert b"half/b" in done.stderr
    assert pyconsul("kv", "get", "-keys", "half/").stdout == b""


def test_detailed_exit_codes(pyconsul: Run) -> None:
    assert pyconsul("kv", "get", "-detailed-exitcode", "no/such").returncode == 3
    assert pyconsul("kv", "get", "no/such", PYCONSUL_DETAILED_EXITCODE="1").returncode == 3
    assert pyconsul("kv", "get", "no/such").returncode == 1
    assert (
        pyconsul("kv", "get", "no/such", PYCONSUL_DETAILED_EXITCODE="1", CONSUL_HTTP_ADDR="127.0.0.1:1").returncode == 4
    )
    pyconsul("kv", "put", "taken", "x")
    assert pyconsul("kv", "put", "-detailed-exitcode", "-cas", "-modify-index=0", "taken", "y").returncode == 6


def test_what_answers_may_not_be_an_agent(pyconsul: Run, cli_agent: str) -> None:
    refused = pyconsul("kv", "get", "-http-addr=127.0.0.1:1", "a")
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"127.0.0.1:1 (from -http-addr)" in refused.stderr
    missing = pyconsul("kv", "get", "a", CONSUL_HTTP_ADDR="unix:///nothing/here.sock")
    assert b"unix:///nothing/here.sock (from CONSUL_HTTP_ADDR)" in missing.stderr
    tls = pyconsul("kv", "get", "a", CONSUL_HTTP_ADDR=f"https://{cli_agent}")
    assert tls.returncode == 1
    assert b"TLS" in tls.stderr
    assert b"Traceback" not in tls.stderr
