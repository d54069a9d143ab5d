"""The log of etcd in the log of the agent."""

from __future__ import annotations

import logging

from pyconsul.agent.cluster.etcd.log_lines import REPEAT_S, LogLines


def parse_line(line: bytes) -> tuple[int, str]:
    return LogLines(lambda: 0.0).parse(line)


def test_a_warning_is_a_message_with_its_fields() -> None:
    line = b'{"level":"warn","ts":"2026","caller":"etcdserver/util.go:1","msg":"slow disk","took":"2s","error":"late"}'
    assert parse_line(line) == (logging.INFO, "slow disk: late took=2s")


def test_what_comes_and_goes_with_every_connection_is_for_debugging() -> None:
    line = b'{"level":"warn","caller":"rafthttp/stream.go:277","msg":"established"}'
    assert parse_line(line) == (logging.DEBUG, "established")


def test_failures_stand_out_and_keys_are_not_shown() -> None:
    line = b'{"level":"fatal","caller":"etcdmain/etcd.go:1","msg":"failed","request":"put: key","stacktrace":"x"}'
    assert parse_line(line) == (logging.WARNING, "failed")


def test_other_text_is_passed_on() -> None:
    assert parse_line(b"panic: oh\n") == (logging.INFO, "panic: oh")


def test_a_message_with_other_fields_is_written_once_a_minute() -> None:
    now = 0.0
    lines = LogLines(lambda: now)
    line = b'{"level":"warn","caller":"etcdserver/v3_server.go:1","msg":"took too long","sent-request-id":%d}'
    assert lines.parse(line % 1) == (logging.INFO, "took too long sent-request-id=1")
    assert lines.parse(line % 2) == (logging.DEBUG, "took too long sent-request-id=2")
    now = REPEAT_S
    assert lines.parse(line % 3) == (logging.INFO, "took too long sent-request-id=3")


def test_an_end_has_its_reason_and_is_written_once_a_minute() -> None:
    now = 0.0
    lines = LogLines(lambda: now)
    line = b'{"level":"fatal","caller":"mvcc/backend.go:1","msg":"failed to commit tx","error":"write db: no space left on device"}'
    for level in (logging.WARNING, logging.DEBUG):
        lines.parse(line)
        assert lines.ended("has ended with status 1") == (
            level,
            "etcd has ended with status 1 (failed to commit tx: write db: no space left on device); starting it again until it"
            " goes on. Make room on the disk of the data folder",
        )
    assert lines.ended("was killed") == (logging.WARNING, "etcd was killed; starting it again until it goes on")


def test_damaged_data_of_one_member_have_a_way_out() -> None:
    lines = LogLines(lambda: 0.0)
    lines.parse(
        b'{"level":"panic","caller":"raft/log.go:1","msg":"tocommit(17) is out of range. Was the raft log corrupted?"}'
    )
    assert "move the folder raft/cluster/etcd away" in lines.ended("has ended with status 2")[1]
