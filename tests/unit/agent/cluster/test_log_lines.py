"""The log of etcd in the log of the agent."""

from __future__ import annotations

import logging

from pyconsul.agent.cluster.etcd.log_lines import parse_line


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
