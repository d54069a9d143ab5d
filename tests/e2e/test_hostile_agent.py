"""Commands and tools against a hostile agent: each reads a bounded amount and ends with one clear line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pyconsul.cli.help.registry import COMMANDS, load
from pyconsul.cli.http import client
from pyconsul.cli.main import main
from tests.support.hostile import Speak, floods, hangs_up, serving

BIN = Path(sys.executable).parent
LIMIT_BYTES = 1 << 20
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Consul-Index: 7\r\n"
TRAILERS = b"Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\n[]\r\n0\r\n"


def document(body: bytes) -> Speak:
    return hangs_up(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body, half=True)


def objects(value: object) -> bytes:
    """Return a list of one object with `value` in fields that commands read."""
    fields = ("ID", "Name", "Node", "Key", "Value", "Flags", "CreateIndex", "ModifyIndex", "AccessorID", "Policies")
    return json.dumps([dict.fromkeys(fields, value)]).encode()


#: Answers that are larger than anything that an agent sends.
ENDLESS: dict[str, Speak] = {
    "body": floods(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b"[" * 0x8000 + b"\r\n"),
    "body of an error": floods(b"HTTP/1.1 500 No\r\n\r\n", b"sorry " * 1000),
    "headers": floods(HEAD, b"X-More: and more\r\n"),
    "one header": floods(HEAD + b"X-Long: ", b"and more "),
    "interim answers": floods(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "trailers": floods(HEAD + TRAILERS, b"X-More: and more\r\n"),
    "status line": floods(b"HTTP/1.1 200 ", b"fine "),
}
#: Answers of a form that no agent's answer has.
WRONG: dict[str, Speak] = {
    "not JSON": document(b"<html>Welcome to the proxy</html>"),
    "not UTF-8": document(b'[{"Key": "\xff\xfe", "Value": "\xff", "Name": "\xff", "Node": "\xff"}]'),
    "nested": document(b"[" * 100_000 + b"]" * 100_000),
    "nested objects": document(b'{"Config":' * 100_000 + b"1" + b"}" * 100_000),
    "huge number": document(b"1" * 100_000),
    "numbers out of range": document(objects(1).replace(b"1", b"1e999")),
    "large numbers": document(objects(1).replace(b"1", b"1" * 400)),
    "texts of half a character": document(objects("\ud800")),
    "strings for numbers": document(objects("texts")),
    "lists of lists": document(objects([[1]])),
    "a list of numbers": document(b"[1, 2, 3]"),
    "null": document(b"[null]"),
    "a number": document(b"7"),
    "true": document(b"true"),
    "a text": document(b'"text"'),
    "an object": document(b'{"a": 1, "Config": [], "Member": 3}'),
    "a list": document(b'["a", {}]'),
    "control characters": document(b"\x1b[2J\x1b]0;owned\x07"),
}
#: What each command is called with; commands that are not here need nothing.
ARGUMENTS: dict[str, list[str]] = {
    "acl auth-method create": ["-name=a", "-type=jwt", "-config={}"],
    "acl auth-method delete": ["-name=a"],
    "acl auth-method read": ["-name=a"],
    "acl auth-method update": ["-name=a", "-config={}"],
    "acl binding-rule create": ["-method=a", "-bind-type=role", "-bind-name=a"],
    "acl binding-rule delete": ["-id=a"],
    "acl binding-rule read": ["-id=a"],
    "acl binding-rule update": ["-id=a"],
    "acl explain": ["key:read", "a"],
    "acl policy create": ["-name=a"],
    "acl policy delete": ["-name=a"],
    "acl policy read": ["-name=a"],
    "acl policy update": ["-id=a", "-name=b"],
    "acl role create": ["-name=a", "-policy-name=p"],
    "acl role delete": ["-id=a"],
    "acl role read": ["-name=a"],
    "acl role update": ["-id=a", "-name=b"],
    "acl set-agent-token": ["default", "secret"],
    "acl templated-policy preview": ["-name=builtin/service", "-var=name:web"],
    "acl templated-policy read": ["-name=builtin/service"],
    "acl token clone": ["-accessor-id=a"],
    "acl token create": ["-policy-name=p"],
    "acl token delete": ["-accessor-id=a"],
    "acl token read": ["-accessor-id=a"],
    "acl token update": ["-accessor-id=a", "-policy-name=p"],
    "debug": ["-duration=1s", "-interval=1s", "-output=debug-out"],
    "event": ["-name=a"],
    "force-leave": ["a"],
    "join": ["127.0.0.1"],
    "keyring": ["-list"],
    "kv delete": ["a"],
    "kv diff": ["tree.json"],
    "kv edit": ["a"],
    "kv get": ["a"],
    "kv history": ["a"],
    "kv import": ["@tree.json"],
    "kv put": ["a", "1"],
    "kv rollback": ["a@1"],
    "kv sync": ["tree.json"],
    "kv watch": ["a"],
    "lock": ["a", "true"],
    "login": ["-method=a", "-bearer-token-file=bearer", "-token-sink-file=sink"],
    "maint": ["-enable"],
    "operator autopilot set-config": ["-max-trailing-logs=1"],
    "operator raft remove-peer": ["-id=a"],
    "rtt": ["a", "b"],
    "services deregister": ["-id=a"],
    "services register": ["-name=a"],
    "session destroy": ["a"],
    "snapshot restore": ["tree.json"],
    "snapshot save": ["saved"],
    "watch": ["-type=key", "-key=a"],
}
#: Other forms of commands, which read other answers.
MORE: list[list[str]] = [
    ["kv", "get", "-recurse", "a"],
    ["kv", "get", "-keys", "a"],
    ["kv", "get", "-detailed", "a"],
    ["kv", "get", "-format=json", "a"],
    ["kv", "delete", "-cas", "-modify-index=1", "a"],
    ["acl", "token", "read", "-self"],
    ["acl", "token", "list", "-format=json"],
    ["catalog", "services", "-tags"],
    ["catalog", "nodes", "-detailed"],
    ["members", "-detailed"],
    ["health", "web"],
    ["rtt", "-wan", "a", "b"],
    ["maint"],
    ["services", "list", "-format=json"],
]
#: Commands that go on by themselves, and are tried as programs that are ended.
ENDLESS_COMMANDS = {"debug", "lock", "kv watch", "watch"}
#: Commands that pass on what comes, without holding it.
STREAMING = ("monitor", "snapshot save", "kv export")
IMPORT = ["kv", "import", "@tree.json"]  # of nothing: it asks for nothing
NAMES = [name for name in COMMANDS if name not in ENDLESS_COMMANDS and load(name).http]
CALLS = [[*name.split(), *ARGUMENTS.get(name, [])] for name in NAMES] + MORE


@pytest.fixture(scope="module")
def agents() -> Iterator[dict[str, str]]:
    """The address of each hostile agent."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(serving(speak)) for name, speak in (ENDLESS | WRONG).items()}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client, "MAX_BODY_BYTES", LIMIT_BYTES)
    monkeypatch.setenv("EDITOR", "true")
    Path("tree.json").write_text("[]")
    Path("bearer").write_text("secret")


def problem(status: int | None, err: str, *, must_fail: bool) -> str:
    """What is wrong with an ending; empty if nothing is."""
    if "Traceback" in err:
        return err[-300:]
    if must_fail and status != 1:
        return f"status {status}: {err}"
    if status not in (0, 1, 2) or (status == 1 and must_fail and not err.strip()):
        return f"status {status}: {err}"
    if "\x1b" in err:
        return f"control characters: {err!r}"
    return "" if len(err) < 4000 else f"a long message: {err[:200]}"


def run(words: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    try:
        status = main(words)
    except SystemExit as error:
        status = int(error.code or 0)
    except Exception as error:
        return 1, f"Traceback: {type(error).__name__}: {error}"
    out, err = capfd.readouterr()
    return status, err or (out if words == ["doctor"] else "")  # its findings are its output


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_no_answer_is_endless(
    words: list[str], agents: dict[str, str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for name in ENDLESS:
        if name == "body" and " ".join(words).startswith(STREAMING):
            continue
        monkeypatch.setenv("CONSUL_HTTP_ADDR", agents[name])
        status, err = run(words, capfd)
        found[name] = problem(status, err, must_fail=words != IMPORT)
    assert not {name: text for name, text in found.items() if text}


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_no_form_of_an_answer_is_a_traceback(
    words: list[str], agents: dict[str, str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for name in WRONG:
        monkeypatch.setenv("CONSUL_HTTP_ADDR", agents[name])
        found[name] = problem(*run(words, capfd), must_fail=False)
    assert not {name: text for name, text in found.items() if text}


@pytest.mark.parametrize("name", ["an object", "nested", "not JSON", "a list of numbers", "headers", "body"])
@pytest.mark.parametrize(
    "words",
    [
        ["lock", "a", "true"],
        ["kv", "watch", "a"],
        ["watch", "-type=key", "-key=a"],
        ["debug", "-duration=1s", "-interval=1s"],
    ],
    ids=lambda words: words[0],
)
def test_commands_that_go_on_show_no_traceback(words: list[str], name: str, agents: dict[str, str]) -> None:
    if name == "body" and words[0] == "debug":
        pytest.skip("the log is stored while it comes")
    environ = {**os.environ, "CONSUL_HTTP_ADDR": agents[name]}
    program = subprocess.Popen(
        [BIN / "pyconsul", *words], env=environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        _, err = program.communicate(timeout=3)
    except subprocess.TimeoutExpired:  # it tries again
        program.terminate()
        _, err = program.communicate(timeout=10)
    assert b"Traceback" not in err


def run_tool(words: list[str], address: str) -> tuple[int, str]:
    done = subprocess.run(
        [BIN / words[0], "-once", "-consul-retry-attempts=1", "-consul-retry-backoff=1ms", *words[1:]],
        env={"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": address},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=50,
        check=False,
    )
    return done.returncode, done.stderr


TOOLS = [
    ["pyenvconsul", "-prefix=a", "true"],
    ["pyenvconsul", "-service-query=web", "true"],
    ["pyconsul-template", "-template=in.ctmpl:out"],
]
TEMPLATE = '{{ range ls "a" }}{{ .Value }}{{ end }}{{ range service "web" }}{{ .Address }}{{ end }}'


@pytest.mark.parametrize("name", [*ENDLESS, *WRONG])
@pytest.mark.parametrize("words", TOOLS, ids=" ".join)
def test_tools(words: list[str], name: str, agents: dict[str, str]) -> None:
    if name == "interim answers" and words[0] == "pyconsul-template":
        pytest.skip("httpx skips interim answers until the time of the query is over")
    Path("in.ctmpl").write_text(TEMPLATE)
    status, err = run_tool(words, agents[name])
    assert "Traceback" not in err
    assert status == 14, err
