"""The completion scripts in real shells: words, flags, values the agent knows, paths."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Complete = Callable[..., list[str]]
ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "completions"
PATIENCE = 60.0
READY = b"ready to type> "


def environment(folder: Path, **more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONSUL_", "PYCONSUL_"))}
    programs = f"{Path(sys.executable).parent}:{clean['PATH']}"
    fixed = {"PATH": programs, "HOME": str(folder), "TERM": "dumb", "PYCONSUL_COMPLETE_TIMEOUT": "30"}
    return {**clean, **fixed, **more}


def dialogue(command: list[str], environ: dict[str, str], folder: Path, typed: str) -> bytes:
    """Type a line and a tab into an interactive shell, and have it print the words that it makes of the line."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env=environ, cwd=folder, start_new_session=True
    )
    os.close(follower)
    deadline, shown, wanted = time.monotonic() + PATIENCE, b"", READY
    keys = [f"{typed}\t\x01printf '<%s>' \x05; echo\n".encode(), b"exit\n"]
    try:
        while time.monotonic() < deadline:
            if not select.select([leader], [], [], 1)[0]:
                continue
            try:
                shown += os.read(leader, 4096)
            except OSError:  # Linux: the shell has ended
                break
            if keys and shown.count(wanted) > 2 - len(keys):
                os.write(leader, keys.pop(0))
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    return shown


def words_of(shown: bytes) -> list[str]:
    """Return the words between the angle brackets that were printed."""
    lines = [line for line in shown.decode(errors="replace").replace("\r", "\n").split("\n") if line.startswith("<")]
    assert lines, shown
    printed = lines[-1].partition(READY.decode())[0]
    # What is typed meanwhile is echoed right behind it.
    return printed[1 : printed.rindex(">")].split("><")


def bash(folder: Path, environ: dict[str, str], typed: str) -> list[str]:
    rc = folder / "bashrc"
    sources = "".join(f"source '{path}'\n" for path in sorted(SCRIPTS.glob("*.bash")))
    rc.write_text(f"{sources}PS1='{READY.decode()}'\nbind 'set enable-bracketed-paste off'\n")
    return words_of(dialogue(["bash", "--noprofile", "--rcfile", str(rc), "-i"], environ, folder, typed))


def zsh(folder: Path, environ: dict[str, str], typed: str) -> list[str]:
    (folder / ".zshrc").write_text(
        f"fpath=('{SCRIPTS}' $fpath)\nautoload -U compinit\ncompinit -u -D\nbindkey -e\n"
        f"unset zle_bracketed_paste\nunsetopt prompt_sp\nPS1='{READY.decode()}'\n"
    )
    return words_of(dialogue(["zsh", "-d", "-i"], {**environ, "ZDOTDIR": str(folder)}, folder, typed))


def fish(folder: Path, environ: dict[str, str], typed: str) -> list[str]:
    """Fish completes for scripts as well; the line with its completion when there is one only."""
    sources = "; ".join(f"source {path}" for path in sorted(SCRIPTS.glob("*.fish")))
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"{sources}; complete -C $argv[1]", typed],
        env=environ, cwd=folder, capture_output=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    found = [line.partition("\t")[0] for line in done.stdout.decode().splitlines()]
    return typed.split()[: -1 if typed.split(" ")[-1] else None] + found


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


@pytest.fixture(params=SHELLS)
def complete(request: pytest.FixtureRequest, cli_agent: str, tmp_path: Path) -> Complete:
    """What a shell makes of a line when tab is pressed at its end."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")

    def run(typed: str, **environ: str) -> list[str]:
        variables = environment(tmp_path, CONSUL_HTTP_ADDR=cli_agent, **environ)
        return SHELLS[request.param](tmp_path, variables, typed)

    return run


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("pyconsul mem", "members"),
        ("pyconsul kv exp", "export"),
        ("pyconsul kv get -rec", "-recurse"),
        ("pyconsul kv get -recurse -format=js", "-format=json"),
        ("pyconsul kv get -format js", "json"),
        ("pyconsul agent -data-d", "-data-dir="),
        ("pyconsul-template -onc", "-once"),
        ("pyenvconsul -upc", "-upcase"),
    ],
)
def test_words_and_flags(complete: Complete, typed: str, word: str) -> None:
    assert complete(typed)[-1].rstrip() == word


def test_what_the_agent_knows(complete: Complete, pyconsul: Run) -> None:
    for key in ("completed/folder/a", "completed/one:two", "completed/spaced out/of here"):
        assert pyconsul("kv", "put", key, "x").returncode == 0
    assert pyconsul("services", "register", "-name=completed-web").returncode == 0
    assert complete("pyconsul kv get compl")[-1] == "completed/"
    assert complete("pyconsul kv get completed/f")[-1] == "completed/folder/"
    assert complete("pyconsul kv get completed/one:t")[-1] == "completed/one:two"
    assert complete("pyconsul kv get completed/sp")[-1].replace("\\", "") == "completed/spaced out/"
    assert complete("pyconsul kv get completed/spaced\\ out/o")[-1].replace("\\", "") == "completed/spaced out/of here"
    assert complete("pyconsul catalog nodes -service=completed-")[-1] == "-service=completed-web"
    assert complete("pyconsul catalog nodes -service completed-")[-1] == "completed-web"


def test_paths(complete: Complete, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{}")
    assert complete("pyconsul validate sett")[-1].endswith("settings.json")
    assert complete("pyconsul kv get -token-file=sett")[-1] == "-token-file=settings.json"
    assert complete("pyenvconsul -config sett")[-1].endswith("settings.json")


def test_an_agent_that_is_away_or_silent_disturbs_nobody(complete: Complete) -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        line = f"pyconsul kv get -http-addr={address} noth"
        assert complete(line, PYCONSUL_COMPLETE_TIMEOUT="0.1")[-1] in ("noth", f"-http-addr={address}")


@pytest.mark.parametrize("program", ["pyconsul-template", "pyenvconsul"])
def test_the_tools_print_their_scripts(program: str, tmp_path: Path) -> None:
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"

    def ask(value: str) -> subprocess.CompletedProcess[str]:
        environ = environment(tmp_path, **{variable: value})
        return subprocess.run([program], env=environ, capture_output=True, text=True, check=False, timeout=PATIENCE)

    for shell, name in (("bash", f"{program}.bash"), ("zsh", f"_{program}"), ("fish", f"{program}.fish")):
        done = ask(f"{shell}_source")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (SCRIPTS / name).read_text(encoding="utf-8")
    done = ask("ksh_source")
    assert (done.returncode, done.stdout) == (13, "")
    assert "bash_source" in done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize("program", ["pyconsul", "pyconsul-template", "pyenvconsul"])
def test_zsh_takes_the_scripts_with_eval(program: str, tmp_path: Path) -> None:
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    lines = f'autoload -U compinit; compinit -u -D; eval "$({variable}=zsh_source {program})"; print $_comps[{program}]'
    done = subprocess.run(
        ["zsh", "-f", "-c", lines],
        env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (f"_{program.replace('-', '_')}\n", "")
