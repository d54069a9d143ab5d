"""Texts of system errors for messages: `no such file or directory`, without error numbers. Imports nothing."""

from __future__ import annotations


def reason(error: BaseException) -> str:
    """Return why something failed, in the system's words; files are not named."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text: byte 0x{error.object[error.start]:02x} at offset {error.start}"
    kind = getattr(error, "reason", None)  # of ssl.SSLError, which is an OSError
    if kind == "WRONG_VERSION_NUMBER":
        return "the server does not speak TLS on this port; use http://"
    if kind == "CERTIFICATE_VERIFY_FAILED":
        return f"certificate verify failed: {getattr(error, 'verify_message', '') or 'not trusted'}"
    if isinstance(error, OSError) and error.strerror and not isinstance(kind, str):
        # asyncio replaces the system's text.
        text = error.strerror
        if text.startswith("Connect call failed") and error.errno is not None:
            import os

            text = os.strerror(error.errno)
        return text[:1].lower() + text[1:]
    return str(error) or type(error).__name__


def file_error(error: BaseException, path: str = "") -> str:
    """Return which file and why, as Go's programs do: `open a.json: no such file or directory`."""
    name = path or getattr(error, "filename", None)
    return f"open {name}: {reason(error)}" if name else reason(error)
