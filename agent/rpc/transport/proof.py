"""Proofs that two agents know a common secret: HMAC-SHA-256 over the role of the prover and all that was said before.

A proof is valid for one connection only, since both sides have put a nonce into what was said.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import msgspec

NONCE_BYTES = 32


def prove(secret: bytes, role: bytes, *transcript: object) -> bytes:
    """Return the proof of one side."""
    return hmac.digest(secret, msgspec.msgpack.encode((role, *transcript)), "sha256")


def is_proven(proof: bytes, secrets: Sequence[bytes], role: bytes, *transcript: object) -> bool:
    """Return whether a proof was made with any of the secrets."""
    expected = [prove(secret, role, *transcript) for secret in secrets]
    return sum(hmac.compare_digest(proof, one) for one in expected) > 0
