"""Public keys that sign JSON Web Tokens: from PEM texts and from JSON Web Key Sets (RFC 7517).

Only keys that may verify signatures are kept; RSA keys need at least 2048 bits (RFC 7518, 3.3).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from pyconsul.agent.acl.methods.methodconfig import ConfigError, JWTConfig

ASYMMETRIC = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")
MIN_RSA_BITS = 2048
MAX_KEYS = 100  # of one set
MAX_NUMBER = 4096  # base64 characters of a number in a key: more than RSA with 16,384 bits needs
NOT_A_KEY = "data does not contain any valid RSA, ECDSA, or ED25519 public keys"


class KeySetError(Exception):
    """A key set that cannot be used; the text says why."""


class VerifyingKey(msgspec.Struct, frozen=True):
    """A public key.  kid: its name in its set.   algorithm: the only one that it is for; "": any that fits it."""

    public: Any
    kid: str = ""
    algorithm: str = ""


def keys_of_pem(config: JWTConfig) -> list[VerifyingKey]:
    """Return the public keys in `JWTValidationPubKeys`.  Raises ConfigError."""
    keys: list[VerifyingKey] = []
    for number, text in enumerate(config.public_keys):
        try:
            keys.append(VerifyingKey(_pem(text)))
        except KeySetError as error:
            raise ConfigError(f"error parsing public key JWTValidationPubKeys[{number}]: {error}") from None
    return keys


def _pem(text: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    data = text.encode()
    try:
        key = (
            load_pem_x509_certificate(data).public_key() if b"BEGIN CERTIFICATE" in data else load_pem_public_key(data)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeySetError(NOT_A_KEY) from None
    return _checked(key)


def _checked(key: Any) -> Any:
    """Return the key if it can sign and is long enough.  Raises KeySetError."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(key, RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise KeySetError(f"RSA keys need at least {MIN_RSA_BITS} bits, this one has {key.key_size}")
    elif not isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey):
        raise KeySetError(NOT_A_KEY)
    return key


def keys_of_config(config: JWTConfig) -> list[VerifyingKey]:
    """Return the public keys of the set in `JWKS`, which is a text or an object.  Raises ConfigError."""
    try:
        return keys_of_jwks(config.jwks if isinstance(config.jwks, str) else json.dumps(config.jwks))
    except KeySetError as error:
        raise ConfigError(f"JWKS: {error}") from None


def keys_of_jwks(text: str | bytes) -> list[VerifyingKey]:
    """Return the keys of a set that may verify signatures.  Raises KeySetError for an empty set."""
    try:
        keys = json.loads(text)["keys"]
        if not isinstance(keys, list):
            raise KeySetError("the key set cannot be read: keys is not a list")
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise KeySetError(f"the key set cannot be read: {_short(error)}") from None
    if len(keys) > MAX_KEYS:
        raise KeySetError(f"the key set has {len(keys)} keys; at most {MAX_KEYS} are allowed")
    found: list[VerifyingKey] = []
    refused = ["none is for verifying signatures"]
    for key in keys:
        try:
            if _verifies(key):
                found.append(_jwk(key))
        except KeySetError as error:
            refused.append(str(error))
    if not found:
        raise KeySetError(f"the key set holds no usable key: {refused[-1]}")
    return found


def _verifies(key: Any) -> bool:
    """Return whether a key of a set is meant for signatures (RFC 7517, 4.2 and 4.3), by an algorithm with public keys."""
    if not isinstance(key, dict) or key.get("kty") not in ("RSA", "EC", "OKP"):
        return False
    if any(isinstance(key.get(part), str) and len(key[part]) > MAX_NUMBER for part in ("n", "e", "x", "y")):
        return False
    operations = key.get("key_ops")
    return (
        key.get("use", "sig") == "sig"
        and key.get("alg", ASYMMETRIC[0]) in ASYMMETRIC
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
    )


def _jwk(key: dict[str, Any]) -> VerifyingKey:
    """Raises KeySetError."""
    import jwt
    from cryptography.exceptions import UnsupportedAlgorithm

    kid, algorithm = key.get("kid", ""), key.get("alg", "")
    try:
        public = jwt.PyJWK.from_dict(key).key
        public = public.public_key() if hasattr(public, "public_key") else public
    except (
        jwt.PyJWTError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        OverflowError,
        UnsupportedAlgorithm,
    ) as error:
        raise KeySetError(_short(error)) from None
    return VerifyingKey(_checked(public), kid if isinstance(kid, str) else "", algorithm)


def candidates(keys: Iterable[VerifyingKey], kid: Any, algorithm: Any) -> list[VerifyingKey]:
    """Return the keys that a token's header allows: those of its `kid` (or without one) and of its `alg`."""
    return [
        key
        for key in keys
        if (not kid or not key.kid or key.kid == kid) and (not key.algorithm or key.algorithm == algorithm)
    ]


def _short(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
