"""Base64 with Go's errors."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.common.go.base64_text import decode_go_base64


@given(st.binary())
def test_encoding_and_decoding_are_inverse(data: bytes) -> None:
    text = b64encode(data).decode()
    assert decode_go_base64(text) == data
    assert decode_go_base64("\r\n".join(text)) == data


# Recorded from Consul's keyring commands, and from Go's encoding/base64.
@pytest.mark.parametrize(("text", "position"), [("***", 0), ("short", 4), ("not base64", 3), ("a*", 1), ("a", 0)])
def test_errors_name_the_position(text: str, position: int) -> None:
    with pytest.raises(ValueError, match=f"^illegal base64 data at input byte {position}$"):
        decode_go_base64(text)
