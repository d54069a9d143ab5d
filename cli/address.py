"""Where the agent is and how it is spoken to: flags first, then Consul's environment variables, then the defaults."""

from __future__ import annotations

from collections.abc import Mapping

from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.flag import Args

DEFAULT_ADDRESS = "127.0.0.1:8500"


class Tls:
    """How HTTPS is spoken; empty paths mean the system's certificates and no client certificate."""

    __slots__ = ("ca_file", "ca_path", "cert", "key", "server_name", "verify")

    def __init__(self, args: Args, environ: Mapping[str, str]) -> None:
        def setting(flag: str, variable: str) -> str:
            return args.text(flag) or environ.get(variable, "")

        self.ca_file = setting("ca-file", "CONSUL_CACERT")
        self.ca_path = setting("ca-path", "CONSUL_CAPATH")
        self.cert = setting("client-cert", "CONSUL_CLIENT_CERT")
        self.key = setting("client-key", "CONSUL_CLIENT_KEY")
        self.server_name = setting("tls-server-name", "CONSUL_TLS_SERVER_NAME")
        self.verify = truth(environ, "CONSUL_HTTP_SSL_VERIFY", default=True)


class Endpoint:
    """An agent's HTTP address: `host` and `port`, or the path of a unix socket; `prefix` goes before every path."""

    __slots__ = ("host", "port", "prefix", "source", "text", "tls", "unix")

    def __init__(self, text: str, source: str, tls: Tls | None, *, prefix: str = "") -> None:
        self.text = text
        self.source = source
        self.tls = tls
        self.unix = ""
        self.host = ""
        self.port = 0
        self.prefix = prefix

    def __str__(self) -> str:
        return f"{self.text} ({self.source})"


def endpoint(args: Args, environ: Mapping[str, str]) -> Endpoint:
    """The agent to ask. Raises UsageError for what is no address."""
    text, source = args.text("http-addr"), "from -http-addr"
    if not text:
        text, source = environ.get("CONSUL_HTTP_ADDR", ""), "from CONSUL_HTTP_ADDR"
    if not text:
        text, source = DEFAULT_ADDRESS, "the default address"
    scheme, colons, rest = text.partition("://")
    if not colons:
        scheme, rest = "https" if truth(environ, "CONSUL_HTTP_SSL", default=False) else "http", text
    if scheme == "unix":
        found = Endpoint(text, source, None)
        found.unix = rest
        return found
    if scheme not in ("http", "https"):
        raise UsageError(f"unknown scheme in the address {text} ({source}): use http://, https:// or unix://")
    authority, _, path = rest.partition("/")
    found = Endpoint(text, source, Tls(args, environ) if scheme == "https" else None, prefix=_prefix(path))
    found.host, found.port = _host_port(authority, text, source, 443 if scheme == "https" else 80)
    return found


def _prefix(path: str) -> str:
    return "/" + path.strip("/") if path.strip("/") else ""


def _host_port(authority: str, text: str, source: str, default: int) -> tuple[str, int]:
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, str(default)
    if not host and not colon:
        raise UsageError(f"no host in the address {text!r} ({source}): use host:port, http://… or unix:///path")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"wrong port in the address {text!r} ({source}): use a number from 1 to 65535")
    return host.strip("[]") or "127.0.0.1", int(port)


def token(args: Args, environ: Mapping[str, str]) -> str:
    """The ACL token to ask with: -token-file, -token, CONSUL_HTTP_TOKEN_FILE, CONSUL_HTTP_TOKEN, in this order.

    Raises CliError when a token file cannot be read.
    """
    return (
        _token_file(args.text("token-file"))
        or args.text("token")
        or _token_file(environ.get("CONSUL_HTTP_TOKEN_FILE", ""))
        or environ.get("CONSUL_HTTP_TOKEN", "")
    )


def _token_file(path: str) -> str:
    if not path:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"Error loading the token file {path}: {error}") from None


def truth(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A boolean environment variable. Raises UsageError for any other word."""
    word = environ.get(name, "")
    if word.lower() in ("1", "t", "true"):
        return True
    if word.lower() in ("0", "f", "false"):
        return False
    if word:
        raise UsageError(f"wrong value {word!r} in {name}: use true or false")
    return default
