"""Responses of an agent, or of whatever answers at its address."""

from __future__ import annotations

import pytest

from pyconsul.cli.errors import ApiError
from pyconsul.cli.http.client import Response


@pytest.mark.parametrize("body", [b"", b"no", b"[" * 200_000, b"\xff", b"9" * 5000])
def test_invalid_json_is_an_error_of_the_agent(body: bytes) -> None:
    with pytest.raises(ApiError, match="not JSON"):
        Response(200, {}, body).json()


@pytest.mark.parametrize(("text", "index"), [("7", 7), ("", 0), ("-5", 0), ("9" * 5000, 0), ("x", 0)])
def test_an_index_that_is_none_is_0(text: str, index: int) -> None:
    assert Response(200, {"x-consul-index": text}, b"").index == index
