"""The list of holders of a semaphore: its bytes are Consul's; anything else is refused."""

from __future__ import annotations

import base64

import pytest

from pyconsul.agent.common.semaphore_list import format_semaphore_list, parse_semaphore_list


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


def test_a_list_is_written_as_consul_does() -> None:
    assert format_semaphore_list(2, ["a", "b"]) == b'{"Limit":2,"Holders":{"a":true,"b":true}}'


def test_a_written_list_is_parsed() -> None:
    found = parse_semaphore_list(encoded(format_semaphore_list(3, ["a", "b"])))
    assert (found.limit, found.holders) == (3, ["a", "b"])


@pytest.mark.parametrize("value", [b'{"Limit":1,"Holders":null}', b'{"Limit":1}'])
def test_a_list_without_holders(value: bytes) -> None:
    found = parse_semaphore_list(encoded(value))
    assert (found.limit, found.holders) == (1, [])


@pytest.mark.parametrize("value", [None, "", encoded(b"x"), encoded(b"[1]"), encoded(b"\xff"), "="])
def test_other_values(value: str | None) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - texts differ by the mistake
        parse_semaphore_list(value)
