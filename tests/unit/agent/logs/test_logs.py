"""The log's lines, JSON, levels, fields, streams, files; and that no token gets into it."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyconsul.agent.logs import agent_log

SECRET = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
log = logging.getLogger("agent.http")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    redactor, agent_log.redactor = agent_log.redactor, agent_log.Redactor()
    yield
    agent_log.redactor = redactor


def test_a_line_has_consuls_form(capsys: pytest.CaptureFixture[str]) -> None:
    agent_log.setup("info")
    log.warning("slow answer", extra={"fields": {"path": "/v1/kv/a b", "took": 3, "cached": False}})
    line = capsys.readouterr().out.rstrip("\n")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d{4}) \[WARN\]  "
        r'agent\.http: slow answer: path="/v1/kv/a b" took=3 cached=false',
        line,
    )


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (agent_log.TRACE, "[TRACE] "),
        (logging.DEBUG, "[DEBUG] "),
        (logging.INFO, "[INFO]  "),
        (logging.ERROR, "[ERROR] "),
    ],
)
def test_levels_are_padded(capsys: pytest.CaptureFixture[str], level: int, text: str) -> None:
    agent_log.setup("trace")
    log.log(level, "x")
    assert f" {text}agent.http: x\n" in capsys.readouterr().out


def test_records_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    agent_log.setup("warn")
    log.info("no")
    agent_log.set_level("debug")
    log.debug("yes")
    assert capsys.readouterr().out.endswith("agent.http: yes\n")


def test_json_has_hclogs_keys(capsys: pytest.CaptureFixture[str]) -> None:
    agent_log.setup("info", as_json=True)
    log.warning("slow %s", "answer", extra={"fields": {"took": 3, "token": SECRET}})
    entry = json.loads(capsys.readouterr().out)
    assert entry.pop("@timestamp")
    expected = {"@level": "warn", "@message": "slow answer", "@module": "agent.http", "took": 3, "token": "<hidden>"}
    assert entry == expected


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        f"GET /v1/kv/a?token={SECRET}&dc=x",
        f"GET /v1/kv/a?token={SECRET}",
        f"headers: X-Consul-Token: {SECRET}",
        f"[(b'x-consul-token', b'{SECRET}')]",
        f"authorization: Bearer {SECRET}",
        f'{{"SecretID": "{SECRET}"}}',
        f"token={SECRET}",
    ],
)
def test_tokens_never_show(capsys: pytest.CaptureFixture[str], text: str, as_json: bool) -> None:
    agent_log.setup("info", as_json)
    log.info(text)
    try:
        raise RuntimeError(text)
    except RuntimeError:
        log.exception("failed: %s", text, extra={"fields": {"url": text}})
    out = capsys.readouterr().out
    assert SECRET not in out
    assert "<hidden>" in out


def test_a_known_secret_shows_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    agent_log.setup("info")
    agent_log.redactor.hide([SECRET, "a"])
    log.info("what about %s, a word?", SECRET)
    assert capsys.readouterr().out.endswith("what about <hidden>, a word?\n")


def test_texts_that_resemble_a_token_stay(capsys: pytest.CaptureFixture[str]) -> None:
    agent_log.setup("info")
    log.info("node %s has a token; 3 tokens", SECRET)
    assert capsys.readouterr().out.endswith(f"node {SECRET} has a token; 3 tokens\n")


def test_each_subscriber_has_a_separate_level(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    agent_log.setup("error")
    subscriber = agent_log.subscribe(lines.append, "debug", as_json=True)
    log.debug("one")
    agent_log.set_level("warn")
    log.debug("two")
    agent_log.unsubscribe(subscriber)
    log.debug("three")
    assert [json.loads(line)["@message"] for line in lines] == ["one", "two"]
    assert capsys.readouterr().out == ""
    assert not log.isEnabledFor(logging.DEBUG)


def test_an_unknown_level_is_an_error() -> None:
    with pytest.raises(ValueError, match="allowed: trace, debug, info, warn, error"):
        agent_log.parse_level("loud")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("x/", "x/consul.log"), ("x/a", "x/a.log"), ("x/a.txt", "x/a.txt"), ("a.log", "a.log"), ("", "consul.log")],
)
def test_the_name_of_the_log_file(tmp_path: Path, given: str, expected: str) -> None:
    agent_log.log_file(f"{tmp_path}/{given}").close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / expected]


@pytest.mark.parametrize(("keep", "left"), [(0, 3), (2, 2), (-1, 0)])
def test_large_files_are_put_aside(tmp_path: Path, keep: int, left: int) -> None:
    file = agent_log.log_file(str(tmp_path / "sub") + "/", max_bytes=1, keep=keep)
    agent_log.setup("info", False, file)
    for number in range(4):
        log.info("line %d", number)
    file.close()
    aside = sorted((tmp_path / "sub").glob("consul-*.log"))
    assert len(aside) == left
    assert (tmp_path / "sub" / "consul.log").read_text().endswith("line 3\n")


def test_old_files_are_put_aside(tmp_path: Path) -> None:
    file = agent_log.log_file(str(tmp_path / "a.log"), max_age_s=sys.float_info.min)
    record = logging.LogRecord("x", logging.INFO, "", 0, "text", None, None)
    assert file.shouldRollover(record)
    file.close()
