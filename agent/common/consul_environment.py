"""Resolve the address and the credentials of Consul's HTTP API: Consul's environment variables below flags and configuration.

All programs resolve these settings here. The variables: https://developer.hashicorp.com/consul/commands#environment-variables
It runs before each one-shot command, so it imports almost nothing; `ssl` is loaded for HTTPS only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyconsul.agent.common.go.booleans import parse_go_bool
from pyconsul.agent.common.reasons import reason

if TYPE_CHECKING:
    import ssl

DEFAULT_ADDRESS = "127.0.0.1:8500"

#: The variable of each setting.
VARIABLES = {
    "address": "CONSUL_HTTP_ADDR",
    "token": "CONSUL_HTTP_TOKEN",
    "token_file": "CONSUL_HTTP_TOKEN_FILE",
    "auth": "CONSUL_HTTP_AUTH",
    "ssl": "CONSUL_HTTP_SSL",
    "verify": "CONSUL_HTTP_SSL_VERIFY",
    "ca_file": "CONSUL_CACERT",
    "ca_path": "CONSUL_CAPATH",
    "cert": "CONSUL_CLIENT_CERT",
    "key": "CONSUL_CLIENT_KEY",
    "server_name": "CONSUL_TLS_SERVER_NAME",
    "namespace": "CONSUL_NAMESPACE",
    "partition": "CONSUL_PARTITION",
}


class InvalidSetting(ValueError):
    """A setting has a value that is not allowed; the text names the setting and what is allowed."""


class UnreadableFile(Exception):
    """A token file or a certificate cannot be read; the text names the file."""


class Tls:
    """Settings of HTTPS. Empty paths mean the system's CA certificates and no client certificate.

    `enabled`: use HTTPS even where the address does not ask for it. `server_name`: the name that the certificate must
    have, if it is not the host of the address.
    """

    __slots__ = ("ca_file", "ca_path", "cert", "enabled", "key", "server_name", "verify")

    def __init__(
        self,
        *,
        enabled: bool = False,
        verify: bool = True,
        ca_file: str = "",
        ca_path: str = "",
        cert: str = "",
        key: str = "",
        server_name: str = "",
    ) -> None:
        self.enabled = enabled
        self.verify = verify
        self.ca_file = ca_file
        self.ca_path = ca_path
        self.cert = cert
        self.key = key
        self.server_name = server_name

    def _fields(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tls) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        return f"Tls({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"

    def context(self) -> ssl.SSLContext:
        """Build the context for connections. Raises UnreadableFile and InvalidSetting."""
        import ssl

        if self.key and not self.cert:
            raise InvalidSetting(f"the client key {self.key} needs a client certificate (CONSUL_CLIENT_CERT)")
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None, capath=self.ca_path or None)
            if self.cert:
                # Without a password callback, OpenSSL would ask for the passphrase of an encrypted key on the terminal.
                context.load_cert_chain(self.cert, self.key or None, password=_no_passphrase)
        except (OSError, ValueError) as error:
            raise UnreadableFile(f"cannot read the certificates for HTTPS: {reason(error)}") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _no_passphrase() -> str:
    raise ValueError("the client key is encrypted; store it without a passphrase")


class AgentAddress:
    """An agent's HTTP address: `host` and `port`, or the path of a `unix` socket.

    `prefix` is put before every path (a reverse proxy). `secure`: HTTPS. `source` says where the address comes from.
    """

    __slots__ = ("host", "port", "prefix", "secure", "source", "text", "unix")

    def __init__(
        self,
        text: str,
        source: str,
        *,
        host: str = "",
        port: int = 0,
        unix: str = "",
        prefix: str = "",
        secure: bool = False,
    ) -> None:
        self.text = text
        self.source = source
        self.host = host
        self.port = port
        self.unix = unix
        self.prefix = prefix
        self.secure = secure

    def __str__(self) -> str:
        return f"{self.text} ({self.source})"

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        if self.unix:
            return "localhost"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ConsulAccess:
    """The resolved settings. `token` is used where there is no `token_file`, or where that file is empty.

    `auth`: "user:password" for HTTP basic authentication; empty for none.
    """

    __slots__ = ("address", "auth", "tls", "token", "token_file")

    def __init__(self, address: AgentAddress, token: str, token_file: str, auth: str, tls: Tls) -> None:
        self.address = address
        self.token = token
        self.token_file = token_file
        self.auth = auth
        self.tls = tls


def resolve_access(
    environ: Mapping[str, str],
    given: Mapping[str, str | bool] | None = None,
    names: Mapping[str, str] | None = None,
) -> ConsulAccess:
    """Resolve all settings: those `given` (by flags or configuration files), then `environ`, then defaults.

    The keys of both mappings are those of VARIABLES; `names` holds what the user calls a given setting. Empty texts
    count as unset. No file is read. Raises InvalidSetting.
    """
    settings = _Settings(environ, given or {}, names or {})
    for scope in ("namespace", "partition"):
        check_scope(settings.text(scope), settings.name(scope), scope)
    tls = Tls(
        enabled=settings.boolean("ssl", default=False),
        verify=settings.boolean("verify", default=True),
        ca_file=settings.text("ca_file"),
        ca_path=settings.text("ca_path"),
        cert=settings.text("cert"),
        key=settings.text("key"),
        server_name=_without_port(settings.text("server_name")),
    )
    text = settings.text("address")
    source = f"from {settings.name('address')}" if text else "the default address"
    address = parse_address(text or DEFAULT_ADDRESS, source, secure=tls.enabled)
    auth = settings.text("auth")
    return ConsulAccess(address, *settings.token(), auth if ":" in auth or not auth else auth + ":", tls)


class _Settings:
    """Lookup of one setting: given values first, then variables."""

    def __init__(self, environ: Mapping[str, str], given: Mapping[str, str | bool], names: Mapping[str, str]) -> None:
        self._environ = environ
        self._given = given
        self._names = names

    def value(self, key: str) -> str | bool:
        value = self._given.get(key, "")
        return self._environ.get(VARIABLES[key], "") if value == "" else value

    def name(self, key: str) -> str:
        """Return the flag, key or variable that the value comes from."""
        return VARIABLES[key] if self._given.get(key, "") == "" else self._names.get(key, key)

    def text(self, key: str) -> str:
        return str(self.value(key))

    def boolean(self, key: str, *, default: bool) -> bool:
        value = self.value(key)
        if isinstance(value, bool):
            return value
        try:
            return parse_go_bool(value) if value else default
        except ValueError as error:
            raise InvalidSetting(f"wrong value {value!r} in {self.name(key)}: {error}") from None

    def token(self) -> tuple[str, str]:
        """Return the token and the token file. Within one source the file wins; given settings win over variables."""
        for source in (self._given, {key: self._environ.get(VARIABLES[key], "") for key in ("token", "token_file")}):
            token, file = str(source.get("token", "")), str(source.get("token_file", ""))
            if token or file:
                fallback = token or self._environ.get(VARIABLES["token"], "")
                return fallback, file
        return "", ""


def parse_address(text: str, source: str, *, secure: bool = False) -> AgentAddress:
    """Parse `host`, `host:port`, `http://…`, `https://…` or `unix:///path`. Raises InvalidSetting.

    With `secure` the address means HTTPS even if it says http://, as in Consul: a request for TLS is never dropped.
    Default ports are 80 and 443.
    """
    scheme, colons, rest = text.partition("://")
    if not colons:
        scheme, rest = "http", text
    if scheme == "unix":
        if not rest:
            raise InvalidSetting(f"no path in the address {text!r} ({source}): use unix:///path")
        return AgentAddress(text, source, unix=rest)
    if scheme not in ("http", "https"):
        raise InvalidSetting(f"unknown scheme in the address {text} ({source}): use http://, https:// or unix://")
    secure = secure or scheme == "https"
    authority, _, path = rest.partition("/")
    host, port = _host_port(authority, text, source, 443 if secure else 80)
    prefix = "/" + path.strip("/") if path.strip("/") else ""
    return AgentAddress(text, source, host=host, port=port, prefix=prefix, secure=secure)


def _host_port(authority: str, text: str, source: str, default: int) -> tuple[str, int]:
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, str(default)
    if not host and not colon:
        raise InvalidSetting(f"no host in the address {text!r} ({source}): use host:port, http://… or unix:///path")
    if not (port.isascii() and port.isdecimal()) or not 0 < int(port[:6]) < 65536:
        raise InvalidSetting(f"wrong port in the address {text!r} ({source}): use a number from 1 to 65535")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise InvalidSetting(f"wrong host in the address {text!r} ({source}): use brackets for IPv6, as in [::1]:8500")
    if any(letter <= " " or letter in "?#@" for letter in host):
        raise InvalidSetting(f"wrong host in the address {text!r} ({source}): use host:port, http://… or unix:///path")
    return host.strip("[]") or "127.0.0.1", int(port)


def _without_port(name: str) -> str:
    """Return the host of a server name; Consul takes a port along with it."""
    host, colon, port = name.rpartition(":")
    return host.strip("[]") if colon and port.isdecimal() and (":" not in host or host.endswith("]")) else name


def check_scope(value: str, name: str, scope: str) -> None:
    """Refuse a namespace or partition, which are Enterprise features. Raises InvalidSetting."""
    if value not in ("", "default"):
        raise InvalidSetting(f"{name}: only the {scope} default exists")


def read_token(token: str, token_file: str) -> str:
    """Return the content of the token file without blanks around it; the token when no file is set. Raises UnreadableFile."""
    if not token_file:
        return token
    try:
        with open(token_file, encoding="utf-8") as file:
            return file.read().strip() or token
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"Error loading the token file {token_file}: {reason(error)}") from None
