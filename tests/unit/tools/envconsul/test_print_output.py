"""Variables as text, read back by the programs that such text is for."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.tools.envconsul.print_output import FORMATS, Unprintable, render_variables

#: Parses files as EnvironmentFile= does, by the same code, then replaces variables; prints what it has read.
GENERATOR = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")
HOSTILE = (
    *("`touch pwned`", "$(touch pwned)", "$HOME", "a'b", "a'`b`", '"; touch pwned; "', "a\nb=c"),
    *("tail\\", "\\'", "#x", "", " "),
)
SHELLS = [shell for shell in ("bash", "dash") if shutil.which(shell)]
VALUES = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
    st.text(alphabet="'\"`$\\ \n\t\rab#=;!", max_size=12),
)


def render(variables: dict[str, str], form: str) -> tuple[str, list[str]]:
    warnings: list[str] = []
    return render_variables(variables, form, warnings.append), warnings


def printable(value: str, form: str) -> str | None:
    try:
        return render({"a": value}, form)[0]
    except Unprintable:
        return None


def test_sorted_lines() -> None:
    values = {"b": 'x "y" $z', "a": "1\n2"}
    assert render(values, "dotenv")[0] == "a='1\n2'\nb='x \"y\" $z'\n"
    assert render(values, "shell")[0] == "export a='1\n2'\nexport b='x \"y\" $z'\n"
    assert render(values, "systemd")[0] == "a='1\n2'\nb='x \"y\" $z'\n"
    assert render({"b": 'x "y" $z'}, "docker")[0] == 'b=x "y" $z\n'
    assert json.loads(render(values, "json")[0]) == values


def test_names_that_only_json_can_hold() -> None:
    assert render({"a/b": "1"}, "json") == ('{\n  "a/b": "1"\n}\n', [])
    text, warnings = render({"a/b": "hush", "c": "2", "9n": "x"}, "shell")
    assert text == "export c=2\n"
    assert warnings == [
        "skipped 9n: in shell a name cannot start with a digit",
        "skipped a/b: shell cannot hold this name (-sanitize makes one that it can)",
    ]


def test_a_value_that_a_form_cannot_hold_is_refused_without_showing_it() -> None:
    for form, value in (("docker", "hush\nx"), ("dotenv", "hush'`"), ("dotenv", "hush\\"), ("systemd", "hush\x01")):
        with pytest.raises(Unprintable) as caught:
            render({"a": value}, form)
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("json", "docker")])
@pytest.mark.parametrize("shell", SHELLS)
def test_hostile_values_are_inert_when_sourced(shell: str, form: str, tmp_path: Path) -> None:
    for value in HOSTILE:
        if (text := printable(value, form)) is None:
            continue
        (tmp_path / "env").write_text(text)
        script = 'set -a; . ./env; printf %s "$a"'
        run = subprocess.run([shell, "-c", script], cwd=tmp_path, capture_output=True, check=True)
        assert (run.stdout.decode(), run.stderr) == (value, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["env"]


@settings(max_examples=25, deadline=None)
@given(VALUES, st.sampled_from(("shell", "dotenv", "systemd")))
def test_a_shell_reads_it_back(value: str, form: str) -> None:
    if (text := printable(value, form)) is None:
        return
    got = subprocess.run(["sh", "-c", text + 'printf %s "$a"'], capture_output=True, check=True).stdout
    assert got == value.encode()


@pytest.mark.skipif(not GENERATOR.exists(), reason="systemd is not installed")
@settings(max_examples=25, deadline=None)
@given(values=st.lists(VALUES, max_size=8))
def test_systemd_reads_it_back(values: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    expected = {f"V{number}": value for number, value in enumerate(values) if value and printable(value, "systemd")}
    folder = tmp_path_factory.mktemp("systemd")
    (folder / "environment.d").mkdir()
    # The generator replaces $… afterwards, which EnvironmentFile= does not; $$ is its $.
    doubled = {name: value.replace("$", "$$") for name, value in expected.items()}
    (folder / "environment.d" / "1.conf").write_text(render(doubled, "systemd")[0] + "END='end'\n")
    environ = {"XDG_CONFIG_HOME": str(folder), "HOME": str(folder), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    run = subprocess.run([GENERATOR], env=environ, capture_output=True, check=True)
    read = {}
    for line in run.stdout.decode().split("\n"):
        name, _, text = line.partition("=")
        read[name] = _unescape(text)
    assert {name: read.get(name) for name in expected} == expected
    assert read["END"] == "end"


def _unescape(text: str) -> str:
    """What shell_escape() of systemd has made."""
    if text[:1] != '"':
        return text
    named = {"n": "\n", "t": "\t"}
    return re.sub(r"\\(.)", lambda match: named.get(match[1], match[1]), text[1:-1])


@pytest.fixture
def docker_host(tmp_path: Path) -> Iterator[tuple[str, list[bytes]]]:
    """Something that notes what Docker's client asks for, and refuses it."""
    requests: list[bytes] = []
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    requests.append(_request(connection))
                    connection.sendall(_refusal(requests[-1]))

        threading.Thread(target=serve, daemon=True).start()
        yield f"unix://{path}", requests
        listener.shutdown(socket.SHUT_RDWR)


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and (chunk := connection.recv(65536)):
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    while length and len(body) < int(length[1]) and (chunk := connection.recv(65536)):
        body += chunk
    return head + b"\r\n\r\n" + body


def _refusal(request: bytes) -> bytes:
    if b"/_ping" in request:
        return b"HTTP/1.1 200 OK\r\nAPI-Version: 1.43\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    text = b'{"message": "noted"}'
    return b"HTTP/1.1 400 No\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
        len(text),
        text,
    )


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed")
def test_docker_reads_it_back(docker_host: tuple[str, list[bytes]], tmp_path: Path) -> None:
    address, requests = docker_host
    expected = {f"V{number}": value for number, value in enumerate(HOSTILE) if printable(value, "docker") is not None}
    (tmp_path / "env").write_text(render(expected, "docker")[0])
    command = ["docker", "-H", address, "create", "--pull", "never", "--env-file", str(tmp_path / "env"), "image"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run(command, env=environ, capture_output=True, timeout=30, check=False)
    body = next(request for request in requests if b"/containers/create" in request).partition(b"\r\n\r\n")[2]
    given_env = json.loads(body)["Env"]
    assert dict(entry.split("=", 1) for entry in given_env) == expected
