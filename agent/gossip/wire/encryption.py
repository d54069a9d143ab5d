"""AES-GCM encryption of packets and streams: `version | nonce (12) | ciphertext | tag (16)`.

Version 1 encrypts the text as it is; version 0 pads it to 16 bytes first. The length of the key selects AES-128, 192 or 256.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pyconsul.agent.gossip.wire.errors import DecryptError

KEY_SIZES = (16, 24, 32)  # bytes
NONCE_SIZE = 12
_TAG_SIZE = 16
_BLOCK_SIZE = 16
OVERHEAD = {0: 1 + NONCE_SIZE + _TAG_SIZE + _BLOCK_SIZE, 1: 1 + NONCE_SIZE + _TAG_SIZE}  # version → bytes, at most


class Keyring:
    """Keys of a gossip pool, the primary one first: it encrypts, all of them decrypt. Immutable."""

    __slots__ = ("_ciphers", "keys")

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raises ValueError for no key or a key of another length than 16, 24 or 32 bytes."""
        if not keys:
            raise ValueError("the keyring is empty")
        if any(len(key) not in KEY_SIZES for key in keys):
            raise ValueError("a gossip key must have 16, 24 or 32 bytes")
        self.keys = tuple(keys)
        self._ciphers = [AESGCM(key) for key in keys]

    def encrypt(self, text: bytes, nonce: bytes, associated_data: bytes, *, version: int = 1) -> bytes:
        if version == 0:
            padding = _BLOCK_SIZE - len(text) % _BLOCK_SIZE
            text += bytes([padding]) * padding
        return bytes([version]) + nonce + self._ciphers[0].encrypt(nonce, text, associated_data)

    def decrypt(self, data: bytes, associated_data: bytes) -> bytes:
        """Return the plain text. Raises DecryptError if no key fits."""
        if not data or data[0] not in OVERHEAD:
            raise DecryptError(f"unsupported encryption version {data[0]}" if data else "the ciphertext is empty")
        if len(data) < OVERHEAD[data[0]]:
            raise DecryptError(f"the ciphertext of {len(data)} bytes is too short")
        nonce, ciphertext = data[1 : 1 + NONCE_SIZE], data[1 + NONCE_SIZE :]
        for cipher in self._ciphers:
            try:
                text = cipher.decrypt(nonce, ciphertext, associated_data)
            except InvalidTag:
                continue
            return _unpadded(text) if data[0] == 0 else text
        raise DecryptError("No installed keys could decrypt the message")  # memberlist's text


def encrypted_size(size: int, version: int) -> int:
    """Return the length of a text of `size` bytes once it is encrypted."""
    if version == 0:
        return OVERHEAD[1] + size + _BLOCK_SIZE - size % _BLOCK_SIZE
    return OVERHEAD[1] + size


def _unpadded(text: bytes) -> bytes:
    padding = text[-1] if text else 0
    if not 1 <= padding <= _BLOCK_SIZE or padding > len(text):
        raise DecryptError("the padding of the encrypted message is invalid")
    return text[:-padding]
