"""Options of the connection to Consul, for both tools, and what they describe: address, token, TLS, retries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.consul_environment import InvalidSetting, resolve_access
from pyconsul.agent.common.options import Option
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import BOOL, DURATION, INT, TEXT, Settings, Tree

if TYPE_CHECKING:
    from pyconsul.agent.common.consul_environment import ConsulAccess
    from pyconsul.tools.consul.connection import Connection
    from pyconsul.tools.consul.retry import RetryPolicy


def _auth_flag(tree: Tree, value: Any) -> None:
    username, colon, password = str(value).partition(":")
    auth = tree.setdefault("consul", {}).setdefault("auth", {})
    auth |= {"enabled": True, "username": username} | ({"password": password} if colon else {})


CONSUL_ADDRESS = Option(
    "consul.address",
    TEXT,
    "Address of Consul: host:port, http://…, https://… or unix:///path",
    "127.0.0.1:8500",
    flags=("consul-addr", "http-addr", "consul"),
    consul_environ=("CONSUL_HTTP_ADDR",),
)
CONSUL_TOKEN = Option(
    "consul.token",
    TEXT,
    "ACL token",
    "",
    flags=("consul-token", "token"),
    consul_environ=("CONSUL_HTTP_TOKEN", "CONSUL_TOKEN"),
    secret=True,
)
CONSUL_TOKEN_FILE = Option(
    "consul.token_file",
    TEXT,
    "File that holds the ACL token; read again for each query",
    "",
    flags=("consul-token-file", "token-file"),
    consul_environ=("CONSUL_HTTP_TOKEN_FILE",),
)
CONSUL_AUTH_ENABLED = Option("consul.auth.enabled", BOOL, "Use HTTP basic authentication", None)
CONSUL_AUTH_PASSWORD = Option("consul.auth.password", TEXT, "Password for HTTP basic authentication", "", secret=True)
CONSUL_AUTH_USERNAME = Option("consul.auth.username", TEXT, "User for HTTP basic authentication", "")
CONSUL_RETRY_ENABLED = Option("consul.retry.enabled", BOOL, "Retry failed queries", True, flags=("consul-retry",))
CONSUL_RETRY_ATTEMPTS = Option(
    "consul.retry.attempts",
    INT,
    "Number of retries; 0 is unlimited. Unset: 12 before the first answer, then unlimited",
    None,
    flags=("consul-retry-attempts",),
)
CONSUL_RETRY_BACKOFF = Option(
    "consul.retry.backoff",
    DURATION,
    "Backoff before the first retry; it doubles with each further one",
    0.25,
    flags=("consul-retry-backoff",),
)
CONSUL_RETRY_MAX_BACKOFF = Option(
    "consul.retry.max_backoff",
    DURATION,
    "Maximum backoff",
    60.0,
    flags=("consul-retry-max-backoff",),
)
CONSUL_SSL_ENABLED = Option(
    "consul.ssl.enabled", BOOL, "Use HTTPS", False, flags=("consul-ssl", "ssl"), consul_environ=("CONSUL_HTTP_SSL",)
)
CONSUL_SSL_VERIFY = Option(
    "consul.ssl.verify",
    BOOL,
    "Verify Consul's certificate",
    True,
    flags=("consul-ssl-verify", "ssl-verify"),
    consul_environ=("CONSUL_HTTP_SSL_VERIFY",),
)
CONSUL_SSL_CA_CERT = Option(
    "consul.ssl.ca_cert",
    TEXT,
    "File with the certificates of trusted authorities",
    "",
    flags=("consul-ssl-ca-cert", "ssl-ca-cert"),
    consul_environ=("CONSUL_CACERT",),
)
CONSUL_SSL_CA_PATH = Option(
    "consul.ssl.ca_path",
    TEXT,
    "Folder with the certificates of trusted authorities",
    "",
    flags=("consul-ssl-ca-path",),
    consul_environ=("CONSUL_CAPATH",),
)
CONSUL_SSL_CERT = Option(
    "consul.ssl.cert",
    TEXT,
    "File with the client's certificate",
    "",
    flags=("consul-ssl-cert", "ssl-cert"),
    consul_environ=("CONSUL_CLIENT_CERT",),
)
CONSUL_SSL_KEY = Option(
    "consul.ssl.key",
    TEXT,
    "File with the client's key",
    "",
    flags=("consul-ssl-key",),
    consul_environ=("CONSUL_CLIENT_KEY",),
)
CONSUL_SSL_SERVER_NAME = Option(
    "consul.ssl.server_name",
    TEXT,
    "Name that Consul's certificate must have",
    "",
    flags=("consul-ssl-server-name",),
    consul_environ=("CONSUL_TLS_SERVER_NAME",),
)
CONSUL_TRANSPORT_DIAL_TIMEOUT = Option(
    "consul.transport.dial_timeout",
    DURATION,
    "Maximum time to connect",
    30.0,
    flags=("consul-transport-dial-timeout",),
)
CONSUL_TRANSPORT_DISABLE_KEEP_ALIVES = Option(
    "consul.transport.disable_keep_alives",
    BOOL,
    "Open a new connection for each query",
    False,
    flags=("consul-transport-disable-keep-alives",),
)
CONSUL_TRANSPORT_MAX_IDLE_CONNS_PER_HOST = Option(
    "consul.transport.max_idle_conns_per_host",
    INT,
    "Maximum number of idle connections",
    None,
    flags=("consul-transport-max-idle-conns-per-host",),
)
#: Where Consul is and how it is spoken to. Variables are those of Consul's own command line.
CONNECTION: tuple[Option[Any], ...] = (
    CONSUL_ADDRESS,
    CONSUL_TOKEN,
    CONSUL_TOKEN_FILE,
    Option(
        "consul.auth",
        TEXT,
        "HTTP basic authentication, as username or username:password",
        None,
        flags=("consul-auth",),
        consul_environ=("CONSUL_HTTP_AUTH",),
        flag_only=True,
        secret=True,
        apply=_auth_flag,
    ),
    CONSUL_AUTH_ENABLED,
    CONSUL_AUTH_USERNAME,
    CONSUL_AUTH_PASSWORD,
    CONSUL_RETRY_ENABLED,
    CONSUL_RETRY_ATTEMPTS,
    CONSUL_RETRY_BACKOFF,
    CONSUL_RETRY_MAX_BACKOFF,
    CONSUL_SSL_ENABLED,
    CONSUL_SSL_VERIFY,
    CONSUL_SSL_CA_CERT,
    CONSUL_SSL_CA_PATH,
    CONSUL_SSL_CERT,
    CONSUL_SSL_KEY,
    CONSUL_SSL_SERVER_NAME,
    CONSUL_TRANSPORT_DIAL_TIMEOUT,
    Option(
        "consul.transport.dial_keep_alive",
        DURATION,
        "Accepted without effect; the keep-alive of the system is used",
        None,
        flags=("consul-transport-dial-keep-alive",),
    ),
    CONSUL_TRANSPORT_DISABLE_KEEP_ALIVES,
    CONSUL_TRANSPORT_MAX_IDLE_CONNS_PER_HOST,
    Option(
        "consul.transport.idle_conn_timeout",
        DURATION,
        "Accepted without effect; idle connections are closed after 5s",
        None,
    ),
    Option("consul.transport.max_idle_conns", INT, "Accepted without effect; see max_idle_conns_per_host", None),
    Option(
        "consul.transport.tls_handshake_timeout",
        DURATION,
        "Accepted without effect; the handshake is part of the time to connect",
        None,
        flags=("consul-transport-tls-handshake-timeout",),
    ),
)

#: The settings that `resolve_access` knows.
_ACCESS: dict[str, Option[Any]] = {
    "address": CONSUL_ADDRESS,
    "token": CONSUL_TOKEN,
    "token_file": CONSUL_TOKEN_FILE,
    "ssl": CONSUL_SSL_ENABLED,
    "verify": CONSUL_SSL_VERIFY,
    "ca_file": CONSUL_SSL_CA_CERT,
    "ca_path": CONSUL_SSL_CA_PATH,
    "cert": CONSUL_SSL_CERT,
    "key": CONSUL_SSL_KEY,
    "server_name": CONSUL_SSL_SERVER_NAME,
}
_ACCESS_KEYS = {name: option.key for name, option in _ACCESS.items()}


def connection_of(settings: Settings) -> Connection:
    """Return the connection that files, flags and Consul's variables describe. Raises ConfigError."""
    from pyconsul.tools.consul.connection import Connection

    access = consul_access_of(settings)
    return Connection(
        address=access.address.text,
        token=access.token,
        token_file=access.token_file,
        auth=access.auth,
        tls=access.tls,
        dial_timeout=settings[CONSUL_TRANSPORT_DIAL_TIMEOUT],
        max_idle_connections=settings[CONSUL_TRANSPORT_MAX_IDLE_CONNS_PER_HOST],
        keep_alives=not settings[CONSUL_TRANSPORT_DISABLE_KEEP_ALIVES],
    )


def consul_access_of(settings: Settings) -> ConsulAccess:
    """Return the part of the connection that Consul's variables may hold. Raises ConfigError."""
    given = {name: settings[option] for name, option in _ACCESS.items() if settings.given(option)}
    if user := settings[CONSUL_AUTH_USERNAME]:
        given["auth"] = f"{user}:{settings[CONSUL_AUTH_PASSWORD]}"
    environ = dict(settings.environ)
    if not environ.get("CONSUL_HTTP_TOKEN"):
        environ["CONSUL_HTTP_TOKEN"] = environ.get("CONSUL_TOKEN", "")  # an older name, of the tools only
    if settings[CONSUL_AUTH_ENABLED] is False:
        given.pop("auth", None)
        environ.pop("CONSUL_HTTP_AUTH", None)
    try:
        return resolve_access(environ, given, _ACCESS_KEYS)
    except InvalidSetting as error:
        raise ConfigError(str(error)) from None


def retry_of(settings: Settings) -> RetryPolicy:
    """Return the `consul.RetryPolicy` that the settings describe."""
    from pyconsul.tools.consul.retry import RetryPolicy

    return RetryPolicy(
        enabled=settings[CONSUL_RETRY_ENABLED],
        attempts=settings[CONSUL_RETRY_ATTEMPTS],
        backoff=settings[CONSUL_RETRY_BACKOFF],
        max_backoff=settings[CONSUL_RETRY_MAX_BACKOFF],
    )
