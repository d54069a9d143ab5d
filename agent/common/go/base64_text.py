"""Base64 with the errors of Go's package encoding/base64."""

from __future__ import annotations

import base64
import binascii

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def decode_go_base64(text: str) -> bytes:
    """Decode standard base64; line ends are skipped. Raises ValueError with Go's text."""
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"illegal base64 data at input byte {_first_fault(text)}") from None


def _first_fault(text: str) -> int:
    """Return the position of the first fault, counted as Go counts it."""
    for position, character in enumerate(text):
        if character not in _ALPHABET and not (character == "=" and position % 4 >= 2):
            return position
    return max(0, len(text) - len(text) % 4)
