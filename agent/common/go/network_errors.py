"""Network errors in the words of Go's programs: `dial tcp 127.0.0.1:1: connect: connection refused`."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from pathlib import Path

PHRASES = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by peer",
    errno.ENETUNREACH: "network is unreachable",
    errno.EHOSTUNREACH: "no route to host",
    errno.ETIMEDOUT: "connection timed out",
    errno.EPIPE: "broken pipe",
    errno.ENOENT: "no such file or directory",
    errno.EACCES: "permission denied",
    errno.EADDRINUSE: "address already in use",
    errno.EADDRNOTAVAIL: "cannot assign requested address",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files in system",
    errno.ENOEXEC: "exec format error",
    errno.ENOTDIR: "not a directory",
}
# Errors of this machine rather than of the peer
LOCAL_FAULTS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
# OpenSSL's codes for certificates that nobody known has signed (X509_V_ERR_…)
UNTRUSTED = frozenset({2, 18, 19, 20, 21})
UNKNOWN_AUTHORITY = "certificate signed by unknown authority"
NOT_TLS = "tls: first record does not look like a TLS handshake"


def phrase(error: OSError) -> str:
    """Return the system's words for an error, without number or address."""
    if error.errno is None:
        return str(error)
    return PHRASES.get(error.errno) or os.strerror(error.errno).lower()


def join_address(host: str, port: int | str) -> str:
    """Return `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_address(address: str) -> tuple[str, str]:
    """Split `host:port` or `[v6]:port` into host and port. Raises ValueError, which says what is wrong with it."""
    if address.startswith("["):
        host, bracket, rest = address[1:].partition("]")
        if not bracket:
            raise ValueError(f"address {address}: missing ']' in address")
        if not rest.startswith(":"):
            raise ValueError(f"address {address}: missing port in address")
        return host, rest[1:]
    host, colon, port = address.rpartition(":")
    if not colon:
        raise ValueError(f"address {address}: missing port in address")
    if ":" in host:
        raise ValueError(f"address {address}: too many colons in address")
    return host, port


def dial_error(network: str, host: str, port: int | str, error: BaseException) -> str:
    """Return why connecting failed; `host` is the address that was tried, or the name that was not found."""
    cause = root_cause(error)
    if isinstance(cause, socket.gaierror):
        return f"dial {network}: lookup {host}{_resolver()}: {_lookup_fault(cause)}"
    if isinstance(cause, ssl.SSLError):
        return tls_error(cause)
    where = f"dial {network} {join_address(host, port)}"
    if isinstance(cause, TimeoutError) and cause.errno is None:
        return f"{where}: i/o timeout"
    if isinstance(cause, OSError):
        return f"{where}: connect: {phrase(cause)}"
    return f"{where}: {cause}"


def tls_error(error: ssl.SSLError) -> str:
    """Return why the TLS handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = UNKNOWN_AUTHORITY if error.verify_code in UNTRUSTED else error.verify_message
        return f"tls: failed to verify certificate: x509: {words}"
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return NOT_TLS
    return f"tls: {(error.reason or str(error)).replace('_', ' ').lower()}"


def root_cause(error: BaseException) -> BaseException:
    """Return the error of the operating system or of TLS below what libraries wrapped around it."""
    current: BaseException | None = error
    found = error
    while current is not None:
        if isinstance(current, BaseExceptionGroup):
            current = current.exceptions[0]
        if isinstance(current, OSError):
            found = current
        current = current.__cause__ or current.__context__
    return found


def _lookup_fault(error: socket.gaierror) -> str:
    temporary = error.errno == socket.EAI_AGAIN
    return "Temporary failure in name resolution" if temporary else "no such host"


def _resolver() -> str:
    """Return ` on <server>:53` with the first name server of this machine."""
    try:
        lines = Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    servers = [words[1] for words in map(str.split, lines) if len(words) > 1 and words[0] == "nameserver"]
    return f" on {join_address(servers[0], 53)}" if servers else ""
