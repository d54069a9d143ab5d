"""What HAProxy writes is passed on, and its alerts are the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyconsul.tools.template.haproxy.stderr_tail import StderrTail


async def test_alerts_are_the_reason(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    words = StderrTail(tmp_path / "pipe")
    os.write(words.sink, b"[ALERT]    (1) : from before\n")
    words.forget()
    assert words.reason() == ""
    text = b"[NOTICE]   (12) : hello\n[ALERT]    (12) : first\n[ALERT]    (12) : first\n[ALERT]    (3) : second\n"
    os.write(words.sink, text)
    assert words.reason() == "first; second"
    words.close()
    assert capfdbinary.readouterr().err == b"[ALERT]    (1) : from before\n" + text


async def test_without_alerts_all_lines_are(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    words = StderrTail(tmp_path / "pipe")
    os.write(words.sink, b"haproxy: cannot do that\n\n")
    assert words.reason() == "haproxy: cannot do that"
    words.close()


async def test_secrets_are_not_passed_on(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    words = StderrTail(tmp_path / "pipe", lambda text: text.replace("hunter2", "****"))
    os.write(words.sink, b"[ALERT]    (1) : unknown keyword 'hunter2'\n")
    words.close()
    assert capfdbinary.readouterr().err == b"[ALERT]    (1) : unknown keyword '****'\n"
