"""What may come next on a command line, without a shell and without an agent."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pyconsul.cli.completion import candidates
from pyconsul.cli.completion.candidates import FILES, FOLDERS, complete
from pyconsul.cli.help.registry import COMMANDS
from pyconsul.cli.watch import plan

NAMES = {"keys": ["a/", "b"], "services": ["web"], "nodes": ["n1"], "instances": ["web-1"]}


def live(kind: str, beginning: str, words: Sequence[str]) -> list[str]:
    return NAMES.get(kind, [])


def words(*line: str) -> list[str]:
    return [word for word, _ in complete(line[:-1], line[-1], live).items]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["ver"], ["version"]),
        (["kv", "del"], ["delete"]),
        (["kv", "nothing", ""], []),
        (["nothing", ""], []),
        (["acl", "to"], ["token"]),
        (["kv", "get", "-keys", "-sep"], ["-separator="]),
        (["kv", "get", "--sep"], ["-separator="]),
        (["kv", "get", "-keys=t"], ["-keys=true"]),
        (["kv", "get", "-format="], ["-format=table", "-format=json", "-format=yaml"]),
        (["kv", "get", "-format", "y"], ["yaml"]),
        (["kv", "get", "-unknown=x"], []),
        (["kv", "get", ""], ["a/", "b"]),
        (["kv", "get", "-separator", ":", "a"], ["a/"]),
        (["kv", "get", "a", ""], []),
        (["kv", "get", "--", "-"], []),
        (["kv", "get", "a", "-k"], []),
        (["catalog", "nodes", "-service=w"], ["-service=web"]),
        (["catalog", "nodes", "-near", "n"], ["n1"]),
        (["maint", "-service="], ["-service=web-1"]),
        (["members", "-why=n"], ["-why=n1"]),
        (["rtt", "n1", "n"], ["n1"]),
        (["agent", "-data-d"], ["-data-dir="]),
        (["agent", "-de"], ["-default-query-time=", "-dev"]),
    ],
)
def test_candidates_for_the_next_word(line: list[str], expected: list[str]) -> None:
    assert words(*line) == expected


def test_paths_are_the_shell_s() -> None:
    assert complete(["validate"], "x", live).paths == FILES
    assert complete(["agent"], "-data-dir=x", live).paths == FOLDERS
    answer = complete(["kv", "get"], "-token-file=x", live)
    assert (answer.paths, answer.prefix) == (FILES, "-token-file=")


def test_hidden_flags_are_not_offered() -> None:
    assert "-namespace=" not in words("kv", "get", "-n")
    assert "-dev" in words("agent", "-")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_completes(name: str) -> None:
    assert "-detailed-exitcode" in words(*name.split(), "-detailed")


def test_types_of_watches_are_completed() -> None:
    assert candidates.WATCH_TYPES == plan.TYPES
    answer = candidates.complete(["watch"], "-type=key", lambda *_: [])
    assert [word for word, _ in answer.items] == ["-type=key", "-type=keyprefix"]


def test_names_of_policies_are_completed() -> None:
    asked: list[str] = []

    def live(kind: str, beginning: str, words: object) -> list[str]:
        asked.append(kind)
        return ["ops", "other"]

    answer = candidates.complete(["acl", "token", "create"], "-policy-name=op", live)
    assert [word for word, _ in answer.items] == ["-policy-name=ops"]
    assert asked == [candidates.POLICIES]
