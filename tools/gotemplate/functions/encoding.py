"""consul-template's functions for base64 and hashes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.signature import Function, function
from pyconsul.tools.gotemplate.runtime.values import to_bytes, to_text

_STANDARD = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_URL = re.compile(rb"[A-Za-z0-9_-]*={0,2}")


def decode_base64(text: str, url: bool = False) -> str:
    """Return the text behind base64 with padding; newlines in it do not count. Raises GoError."""
    data = to_bytes(text).translate(None, b"\r\n")
    if len(data) % 4 or not (_URL if url else _STANDARD).fullmatch(data):
        raise GoError(f"illegal base64 data at input byte {_first_bad(data, url)}")
    try:
        return to_text(base64.b64decode(data, altchars=b"-_" if url else None))
    except binascii.Error:
        raise GoError("illegal base64 data") from None


def _first_bad(data: bytes, url: bool) -> int:
    match = re.match(rb"[A-Za-z0-9_-]*" if url else rb"[A-Za-z0-9+/]*", data)
    good = match.end() if match else 0
    return good if good < len(data) else len(data) // 4 * 4


def _wrapped(name: str, url: bool) -> Function:
    def decode(text: str) -> str:
        try:
            return decode_base64(text, url)
        except GoError as error:
            raise GoError(f"{name}: {error}") from None

    return function(decode, "string")


def sha256_hex(text: str) -> str:
    """Return the SHA-256 hash in hexadecimal."""
    return hashlib.sha256(to_bytes(text)).hexdigest()


def md5sum(text: str) -> str:
    """Return the MD5 hash in hexadecimal."""
    return hashlib.md5(to_bytes(text), usedforsecurity=False).hexdigest()


def hmac_sha256_hex(message: str, key: str) -> str:
    """Return the message's HMAC with SHA-256, in hexadecimal."""
    return hmac.new(to_bytes(key), to_bytes(message), hashlib.sha256).hexdigest()


FUNCTIONS: Mapping[str, Function] = {
    "base64Decode": _wrapped("base64Decode", url=False),
    "base64Encode": function(lambda text: base64.b64encode(to_bytes(text)).decode(), "string"),
    "base64URLDecode": _wrapped("base64URLDecode", url=True),
    "base64URLEncode": function(lambda text: base64.urlsafe_b64encode(to_bytes(text)).decode(), "string"),
    "hmacSHA256Hex": function(hmac_sha256_hex, "string", "string"),
    "md5sum": function(md5sum, "string"),
    "sha256Hex": function(sha256_hex, "string"),
}
