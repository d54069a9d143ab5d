"""The man pages and completion scripts in the project are those that the declarations make, and are well-formed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pyconsul.agent.config.compat import RENAMED, UNSUPPORTED
from pyconsul.agent.config.table import SETTINGS
from pyconsul.cli.completion.shells import fixed_script
from pyconsul.cli.help.registry import COMMANDS, load
from pyconsul.tools.docs.__main__ import main
from pyconsul.tools.docs.files import files
from pyconsul.tools.docs.roff import Page, Section, page_text

ROOT = Path(__file__).resolve().parents[4]
MADE = files()


def test_nothing_is_stale() -> None:
    stored = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for folder in ("man", "completions")
        for path in (ROOT / folder).iterdir()
    }
    stale = sorted(name for name in MADE.keys() | stored.keys() if MADE.get(name) != stored.get(name))
    assert not stale, f"run `python -m pyconsul.tools.docs`: {', '.join(stale)}"


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_the_pages_are_well_formed(tmp_path: Path) -> None:
    for name, text in MADE.items():
        if name.startswith("man/"):
            (tmp_path / Path(name).name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["mandoc", "-T", "lint", *sorted(tmp_path.iterdir())], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_command_and_each_of_its_flags_has_its_place() -> None:
    for name in COMMANDS:
        page = MADE[f"man/pyconsul-{name.replace(' ', '-')}.1"].replace("\\-", "-")
        for flag in load(name).flags:
            assert flag.hidden or f"-{flag.name}" in page
        assert f"pyconsul {name}" in MADE["man/pyconsul.1"].replace("\\-", "-")


def test_every_setting_of_the_agent_is_in_its_page() -> None:
    page = MADE["man/pyconsul-agent-config.5"].replace("\\-", "-")
    assert page.startswith('.\\" Made by')
    assert ".TH PYCONSUL-AGENT-CONFIG 5 " in page
    for row in SETTINGS:
        assert row.note.flag_only or f"\n\\fB{row.key} ({row.kind.value})\\fR\n" in page
    for key in (*UNSUPPORTED, *RENAMED):
        assert f"\n\\fB{key}\\fR\n" in page
    assert ".BR pyconsul-agent-config (5)" in MADE["man/pyconsul-agent.1"].replace("\\-", "-")


def test_characters_with_a_meaning_in_roff_are_escaped() -> None:
    page = Page("x", "about", "x", "[y]", [Section("ONE", [".PP is no macro. 'nor this", "C:\\dir — ö"])])
    lines = page_text(page, "x 1").splitlines()
    assert "\\&.PP is no macro." in lines
    assert "\\&'nor this" in lines
    assert "C:\\edir \\[u2014] \\[u00F6]" in lines


@pytest.mark.parametrize(("shell", "quoted"), [("zsh", "it'\\''s \\[so\\]"), ("fish", "it\\'s [so]")])
def test_texts_of_flags_are_quoted(shell: str, quoted: str) -> None:
    assert quoted in fixed_script(shell, "program", [("-flag=", "it's [so]")])


def test_stale_pages_are_removed(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 1
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "man").mkdir()
    (tmp_path / "man" / "gone.1").touch()
    assert main([str(tmp_path)]) == 0
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")} == MADE.keys()


@pytest.mark.parametrize("page", ["pyconsul", "pyconsul-agent", "pyconsul-template", "pyenvconsul"])
def test_the_pages_of_programs_have_all_sections(page: str) -> None:
    text = MADE[f"man/{page}.1"]
    for title in ('"EXIT STATUS"', "SIGNALS", "FILES", "ENVIRONMENT", "EXAMPLES"):
        assert f"\n.SH {title}\n" in text


# The flags that users of the originals know, written down by hand: a table that loses one is found out here.
KNOWN_FLAGS = {
    "pyconsul-template": (
        "consul-addr consul-auth consul-retry consul-retry-attempts consul-retry-backoff consul-ssl-ca-cert consul-token config "
        "dedup dry exec exec-kill-signal exec-kill-timeout exec-reload-signal exec-splay kill-signal log-level max-stale once "
        "pid-file reload-signal syslog template wait"
    ),
    "pyenvconsul": (
        "consul-addr consul-retry consul-ssl-ca-cert consul-token config exec kill-signal log-level max-stale once pid-file "
        "prefix pristine sanitize service-query syslog upcase wait"
    ),
}


@pytest.mark.parametrize("program", KNOWN_FLAGS)
def test_the_flags_of_the_originals_have_their_place(program: str) -> None:
    page = MADE[f"man/{program}.1"].replace("\\-", "-")
    script = MADE[f"completions/{program}.fish"]
    for flag in KNOWN_FLAGS[program].split():
        assert f"-{flag}" in page, flag
        assert flag in script
