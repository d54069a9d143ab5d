"""The tools' log: its lines, its files, and when these begin anew."""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime
from pathlib import Path

import pytest
from support.scripted import Script, asking, json_answer

from pyconsul.agent.common.structs import replace
from pyconsul.tools.consul.client import Connection, ConsulError
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.log_file import LOG_FILE_OPTIONS, LogTarget, log_target_of
from pyconsul.tools.options.settings import Call, load_settings, parse_flags
from pyconsul.tools.process.log_setup import setup_logging
from pyconsul.tools.process.logs import open_log_file

DAY = 86400.0


def record(text: str = "text", later: float = 0.0) -> logging.LogRecord:
    made = logging.LogRecord("template", logging.INFO, "", 0, text, (), None)
    made.created += later
    return made


def texts(folder: Path) -> list[str]:
    """The texts of the log files, the oldest first."""
    return [path.read_text() for path in sorted(folder.iterdir())]


def fail() -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logging.getLogger("template").exception("it failed")


def test_text_lines(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info")
    logging.getLogger("template").warning("has %s", "words")
    logging.getLogger("template").debug("too much")
    line = capsys.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4} \[WARN\] template: has words\n", line)
    fail()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("[ERR] template: it failed")
    assert lines[-1] == "RuntimeError: broken"


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("trace", "json")
    logging.getLogger("template").error("two\nlines \udce9")
    fail()
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert datetime.strptime(first.pop("@timestamp"), "%Y-%m-%dT%H:%M:%S.%f%z").tzinfo is not None
    assert first == {"@level": "err", "@message": "two\nlines \udce9", "@module": "template"}
    assert second["stacktrace"].endswith("RuntimeError: broken")


async def test_questions_and_answers_are_not_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even by the libraries that carry them."""
    connection = Connection(token="hunter2", auth="user:hunter2")
    async with asking(Script(json_answer(b'"hunter2"')), connection) as client:
        for form in ("text", "json"):
            setup_logging("trace", form, file=LogTarget(f"{tmp_path}/{form}"))
            await client.request("/v1/kv/hunter2", {"recurse": ""})
            await client.send("PUT", "/v1/kv/hunter2", {"cas": "0"}, b"hunter2")
            with pytest.raises(ConsulError, match="has ended"):
                await anext(client.lines("/v1/x", b"hunter2", 30))
    assert capsys.readouterr().err == "".join(texts(tmp_path)) == ""


@pytest.mark.parametrize(("level", "form"), [("loud", "text"), ("info", "xml")])
def test_bad_words(level: str, form: str) -> None:
    with pytest.raises(ConfigError, match="invalid log"):
        setup_logging(level, form)


def test_a_file_besides_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("info", "json", file=LogTarget(str(tmp_path / "logs" / "tool.txt")))
    logging.getLogger("template").info("for both \udce9")
    (path,) = (tmp_path / "logs").iterdir()
    assert re.fullmatch(r"tool-\d+\.txt", path.name)
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_text() == capsys.readouterr().err


@pytest.mark.parametrize(("path", "name"), [("", "consul-template"), ("x", "x"), (".d/x.y", "x")])
def test_names(tmp_path: Path, path: str, name: str) -> None:
    open_log_file(LogTarget(f"{tmp_path}/{path}")).close()
    (made,) = (found for found in tmp_path.rglob("*") if found.is_file())
    assert re.fullmatch(name + r"-\d{19}\.(log|y)", made.name)


def test_a_second_setup_continues_the_file(tmp_path: Path) -> None:
    target = LogTarget(f"{tmp_path}/x")
    for _ in range(2):
        setup_logging("info", file=target)
        logging.getLogger("template").info("line")
    (text,) = texts(tmp_path)
    assert text.count("line") == 2
    setup_logging("info", file=replace(target, max_bytes=5))
    assert len(texts(tmp_path)) == 2
    setup_logging("info")
    logging.getLogger("template").info("stderr alone")
    assert "stderr alone" not in "".join(texts(tmp_path))


def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot log to"):
        setup_logging("info", file=LogTarget(f"{tmp_path}/file/x"))


def test_a_large_file_is_followed_by_another(tmp_path: Path) -> None:
    handler = open_log_file(LogTarget(f"{tmp_path}/", max_bytes=10))
    for text in ("12345", "6789", "next", "still next"):
        handler.emit(record(text))
    handler.close()
    assert texts(tmp_path) == ["12345\n6789\n", "next\nstill next\n"]


def test_an_old_file_is_followed_by_another(tmp_path: Path) -> None:
    handler = open_log_file(LogTarget(f"{tmp_path}/", max_age=3600))
    handler.emit(record("first"))
    handler.emit(record("second", later=3000))
    handler.emit(record("third", later=3700))
    handler.close()
    assert texts(tmp_path) == ["first\nsecond\n", "third\n"]


@pytest.mark.parametrize(("keep", "left"), [(0, "abcde"), (2, "cde"), (-1, "e")])
def test_old_files_are_removed(tmp_path: Path, keep: int, left: str) -> None:
    stranger = tmp_path / "consul-template-notes.log"
    stranger.write_text("mine")
    handler = open_log_file(LogTarget(f"{tmp_path}/", max_bytes=1, keep=keep))
    for letter in "abcde":
        handler.emit(record(letter))
    handler.close()
    stranger.unlink()
    assert "".join(texts(tmp_path)).replace("\n", "") == left


def test_files_of_earlier_runs_count(tmp_path: Path) -> None:
    for text in ("old", "older", "new"):
        handler = open_log_file(LogTarget(f"{tmp_path}/", keep=1))
        handler.emit(record(text))
        handler.close()
    assert texts(tmp_path) == ["older\n", "new\n"]


def test_without_a_new_file_the_old_one_stays(tmp_path: Path) -> None:
    handler = open_log_file(LogTarget(f"{tmp_path}/logs/", max_bytes=1))
    handler.emit(record("first"))
    opened = (tmp_path / "logs").rename(tmp_path / "moved")
    handler.emit(record("still first"))
    opened.rename(tmp_path / "logs")
    handler.emit(record("second"))
    handler.close()
    assert texts(tmp_path / "logs") == ["first\nstill first\n", "second\n"]


def settings_of(*flags: str) -> LogTarget | None:
    call: Call = parse_flags(LOG_FILE_OPTIONS, flags)
    return log_target_of(load_settings(LOG_FILE_OPTIONS, call, {}), "envconsul")


def test_options() -> None:
    assert settings_of() is None
    assert settings_of("-log-file", "/x/") == LogTarget("/x/", name="envconsul")
    flags = ("-log-file=x", "-log-rotate-bytes=9", "-log-rotate-duration=0s", "-log-rotate-max-files=-1")
    assert settings_of(*flags) == LogTarget("x", 9, DAY, -1, "envconsul")
    assert settings_of("-log-file=x", "-log-rotate-duration=30s") == LogTarget("x", max_age=30.0, name="envconsul")
    with pytest.raises(ConfigError, match="log_rotate_bytes"):
        settings_of("-log-file=x", "-log-rotate-bytes=-1")
