"""Where Consul is and how it is reached: addresses, tokens and TLS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

_PORT = 8500


class ConsulError(Exception):
    """Consul did not answer, or answered with an error. `status` is the HTTP status, 0 without an answer; then
    nothing had been heard for `silent` seconds."""

    def __init__(self, text: str, status: int = 0, silent: float = 0.0) -> None:
        super().__init__(text)
        self.status = status
        self.silent = silent


@dataclass(frozen=True)
class Tls:
    """How HTTPS is spoken; empty paths mean the system's certificates and no client certificate."""

    enabled: bool = False
    verify: bool = True
    ca_cert: str = ""
    ca_path: str = ""
    cert: str = ""
    key: str = ""
    server_name: str = ""

    def context(self) -> ssl.SSLContext:
        """Raises ConsulError when a file cannot be read."""
        import ssl  # one-shot runs over plain HTTP do without

        try:
            context = ssl.create_default_context(cafile=self.ca_cert or None, capath=self.ca_path or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except OSError as error:
            raise ConsulError(f"cannot read the TLS certificates: {error}") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True)
class Connection:
    """Where Consul is and who we are.

    `address`: "host:port", "http://…", "https://…" or "unix:///path". `token` wins over `token_file`, which is read
    again for each query, so that a token can be exchanged. `auth`: "user" or "user:password".
    Durations are seconds.
    """

    address: str = f"127.0.0.1:{_PORT}"
    token: str = field(default="", repr=False)
    token_file: str = ""
    auth: str = field(default="", repr=False)
    tls: Tls = Tls()
    dial_timeout: float = 30.0
    max_idle_connections: int | None = None
    keep_alives: bool = True

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Connection:
        """The connection that the variables of Consul's own command line describe."""
        token_file = environ.get("CONSUL_HTTP_TOKEN_FILE", "")
        secure = environ.get("CONSUL_HTTP_SSL", "").lower() in ("1", "t", "true")
        verify = environ.get("CONSUL_HTTP_SSL_VERIFY", "").lower() not in ("0", "f", "false")
        tls = Tls(
            enabled=secure,
            verify=verify,
            ca_cert=environ.get("CONSUL_CACERT", ""),
            ca_path=environ.get("CONSUL_CAPATH", ""),
            cert=environ.get("CONSUL_CLIENT_CERT", ""),
            key=environ.get("CONSUL_CLIENT_KEY", ""),
            server_name=environ.get("CONSUL_TLS_SERVER_NAME", ""),
        )
        return cls(
            address=environ.get("CONSUL_HTTP_ADDR") or cls.address,
            token="" if token_file else environ.get("CONSUL_HTTP_TOKEN") or environ.get("CONSUL_TOKEN", ""),
            token_file=token_file,
            auth=environ.get("CONSUL_HTTP_AUTH", ""),
            tls=tls,
        )

    def with_tls(self, **changes: Any) -> Connection:
        return replace(self, tls=replace(self.tls, **changes))

    def base_url(self) -> tuple[str, str]:
        """The URL that paths are appended to, and the path of a unix socket ("" for TCP)."""
        scheme, colons, rest = self.address.partition("://")
        if not colons:
            scheme, rest = "https" if self.tls.enabled else "http", self.address
        if scheme == "unix":
            return "http://localhost", rest
        if scheme not in ("http", "https"):
            raise ConsulError(f"invalid address {self.address!r}: use host:port, http://, https:// or unix:///path")
        host = rest.rstrip("/")
        try:
            _ = urlsplit(f"{scheme}://{host}").port
        except ValueError as error:
            raise ConsulError(f"invalid address {self.address!r}: {error}") from error
        return f"{scheme}://{host}", ""

    def read_token(self) -> str:
        """Raises ConsulError when the token file cannot be read."""
        if self.token or not self.token_file:
            return self.token
        try:
            return Path(self.token_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConsulError(f"cannot read the token file {self.token_file}: {error}") from error
