"""Options that both tools have: the connection to Consul, retries, logging, signals, the child process.

Each tool's own table starts with these rows; the functions turn settings into what the tools work with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from signal import Signals
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.consul_environment import InvalidSetting, resolve_access
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import (
    BOOL,
    COMMAND,
    DURATION,
    INT,
    SIGNAL,
    STRINGS,
    TEXT,
    WAIT,
    Option,
    Settings,
    Tree,
)

if TYPE_CHECKING:
    from pyconsul.agent.common.consul_environment import ConsulAccess
    from pyconsul.tools.consul.connection import Connection
    from pyconsul.tools.consul.retry import RetryPolicy


def _auth_flag(tree: Tree, value: Any) -> None:
    username, colon, password = str(value).partition(":")
    auth = tree.setdefault("consul", {}).setdefault("auth", {})
    auth |= {"enabled": True, "username": username} | ({"password": password} if colon else {})


#: The keys of the settings that `resolve_access` knows.
_ACCESS_KEYS = {
    "address": "consul.address",
    "token": "consul.token",
    "token_file": "consul.token_file",
    "ssl": "consul.ssl.enabled",
    "verify": "consul.ssl.verify",
    "ca_file": "consul.ssl.ca_cert",
    "ca_path": "consul.ssl.ca_path",
    "cert": "consul.ssl.cert",
    "key": "consul.ssl.key",
    "server_name": "consul.ssl.server_name",
}

#: Where Consul is and how it is spoken to. Variables are those of Consul's own command line.
CONNECTION: tuple[Option, ...] = (
    Option(
        "consul.address",
        TEXT,
        "Address of Consul: host:port, http://…, https://… or unix:///path",
        "127.0.0.1:8500",
        flags=("consul-addr", "http-addr", "consul"),
        consul_environ=("CONSUL_HTTP_ADDR",),
    ),
    Option(
        "consul.token",
        TEXT,
        "ACL token",
        "",
        flags=("consul-token", "token"),
        consul_environ=("CONSUL_HTTP_TOKEN", "CONSUL_TOKEN"),
        secret=True,
    ),
    Option(
        "consul.token_file",
        TEXT,
        "File that holds the ACL token; read again for each query",
        "",
        flags=("consul-token-file", "token-file"),
        consul_environ=("CONSUL_HTTP_TOKEN_FILE",),
    ),
    Option(
        "consul.auth",
        TEXT,
        "HTTP basic authentication, as username or username:password",
        flags=("consul-auth",),
        consul_environ=("CONSUL_HTTP_AUTH",),
        cli_only=True,
        secret=True,
        apply=_auth_flag,
    ),
    Option("consul.auth.enabled", BOOL, "Use HTTP basic authentication"),
    Option("consul.auth.username", TEXT, "User for HTTP basic authentication", ""),
    Option("consul.auth.password", TEXT, "Password for HTTP basic authentication", "", secret=True),
    Option("consul.retry.enabled", BOOL, "Try a failed query again", True, flags=("consul-retry",)),
    Option(
        "consul.retry.attempts",
        INT,
        "Tries after a failed one; 0 means no end. Unset: 12 until there was a first answer, then no end",
        flags=("consul-retry-attempts",),
    ),
    Option(
        "consul.retry.backoff",
        DURATION,
        "Wait before the first of those tries; it doubles for each further one",
        0.25,
        flags=("consul-retry-backoff",),
    ),
    Option(
        "consul.retry.max_backoff",
        DURATION,
        "Longest wait before a try",
        60.0,
        flags=("consul-retry-max-backoff",),
    ),
    Option(
        "consul.ssl.enabled", BOOL, "Use HTTPS", False, flags=("consul-ssl", "ssl"), consul_environ=("CONSUL_HTTP_SSL",)
    ),
    Option(
        "consul.ssl.verify",
        BOOL,
        "Verify Consul's certificate",
        True,
        flags=("consul-ssl-verify", "ssl-verify"),
        consul_environ=("CONSUL_HTTP_SSL_VERIFY",),
    ),
    Option(
        "consul.ssl.ca_cert",
        TEXT,
        "File with the certificates of trusted authorities",
        "",
        flags=("consul-ssl-ca-cert", "ssl-ca-cert"),
        consul_environ=("CONSUL_CACERT",),
    ),
    Option(
        "consul.ssl.ca_path",
        TEXT,
        "Folder with the certificates of trusted authorities",
        "",
        flags=("consul-ssl-ca-path",),
        consul_environ=("CONSUL_CAPATH",),
    ),
    Option(
        "consul.ssl.cert",
        TEXT,
        "File with the client's certificate",
        "",
        flags=("consul-ssl-cert", "ssl-cert"),
        consul_environ=("CONSUL_CLIENT_CERT",),
    ),
    Option(
        "consul.ssl.key",
        TEXT,
        "File with the client's key",
        "",
        flags=("consul-ssl-key",),
        consul_environ=("CONSUL_CLIENT_KEY",),
    ),
    Option(
        "consul.ssl.server_name",
        TEXT,
        "Name that Consul's certificate must have",
        "",
        flags=("consul-ssl-server-name",),
        consul_environ=("CONSUL_TLS_SERVER_NAME",),
    ),
    Option(
        "consul.transport.dial_timeout",
        DURATION,
        "Longest time to connect",
        30.0,
        flags=("consul-transport-dial-timeout",),
    ),
    Option(
        "consul.transport.dial_keep_alive",
        DURATION,
        "Accepted; the system's keep-alive is used",
        flags=("consul-transport-dial-keep-alive",),
    ),
    Option(
        "consul.transport.disable_keep_alives",
        BOOL,
        "Connect anew for each query",
        False,
        flags=("consul-transport-disable-keep-alives",),
    ),
    Option(
        "consul.transport.max_idle_conns_per_host",
        INT,
        "Connections that are kept while idle",
        flags=("consul-transport-max-idle-conns-per-host",),
    ),
    Option(
        "consul.transport.idle_conn_timeout",
        DURATION,
        "Accepted; idle connections are closed after 5s",
    ),
    Option("consul.transport.max_idle_conns", INT, "Accepted; see max_idle_conns_per_host"),
    Option(
        "consul.transport.tls_handshake_timeout",
        DURATION,
        "Accepted; the handshake is part of the time to connect",
        flags=("consul-transport-tls-handshake-timeout",),
    ),
)

#: The run of the tool itself.
PROCESS: tuple[Option, ...] = (
    Option(
        "config",
        STRINGS,
        "Configuration file (HCL or JSON), or a folder of them; may be repeated, later ones win",
        flags=("config",),
        cli_only=True,
    ),
    Option(
        "kill_signal",
        SIGNAL,
        "Signal that ends this program in order",
        Signals.SIGINT,
        flags=("kill-signal",),
    ),
    Option(
        "reload_signal",
        SIGNAL,
        "Signal that makes this program read its configuration again",
        Signals.SIGHUP,
        flags=("reload-signal",),
    ),
    Option("log_level", TEXT, "trace, debug, info, warn or err", "WARN", flags=("log-level",)),
    Option("log_format", TEXT, "text or json", "text", flags=("log-format",)),
    Option(
        "max_stale",
        DURATION,
        "Let any server answer that had contact with the leader within this time; 0: only the leader",
        2.0,
        flags=("max-stale",),
    ),
    Option("pid_file", TEXT, "File that holds the process id of this program while it runs", "", flags=("pid-file",)),
    Option("syslog.enabled", BOOL, "Log to syslog, too", False, flags=("syslog",)),
    Option("syslog.facility", TEXT, "Facility for syslog", "LOCAL0", flags=("syslog-facility",)),
    Option("syslog.name", TEXT, "Name for syslog", flags=("syslog-name",)),
    Option(
        "wait",
        WAIT,
        "Wait until nothing has changed for min, at most max (4 times min), before acting",
        (0.0, 0.0),
        flags=("wait",),
    ),
)

#: The child process.
EXEC: tuple[Option, ...] = (
    Option("exec.command", COMMAND, "Program to run; one single word is a shell line", (), flags=("exec",)),
    Option("exec.enabled", BOOL, "Run the child process at all", True),
    Option(
        "exec.kill_signal",
        SIGNAL,
        "Signal that ends the child",
        Signals.SIGINT,
        flags=("exec-kill-signal",),
    ),
    Option(
        "exec.kill_timeout",
        DURATION,
        "Grace period between that signal and SIGKILL",
        30.0,
        flags=("exec-kill-timeout",),
    ),
    Option(
        "exec.reload_signal",
        SIGNAL,
        "Signal that tells the child about a change; without it the child is started again",
        flags=("exec-reload-signal",),
    ),
    Option(
        "exec.splay",
        DURATION,
        "Upper bound of a random wait before the child is told about a change",
        0.0,
        flags=("exec-splay",),
    ),
    Option(
        "exec.timeout",
        DURATION,
        "Longest time that a command may run; 0: no limit",
        0.0,
        flags=("exec-timeout",),
    ),
    Option(
        "exec.env.pristine",
        BOOL,
        "Give the child only its custom variables",
        False,
        flags=("exec-env-pristine",),
    ),
    Option(
        "exec.env.custom",
        STRINGS,
        "Variable NAME=value for the child; may be repeated",
        (),
        flags=("exec-env-custom",),
    ),
    Option(
        "exec.env.allowlist",
        STRINGS,
        "Pattern of variables that the child gets; may be repeated",
        (),
        flags=("exec-env-allowlist",),
    ),
    Option(
        "exec.env.denylist",
        STRINGS,
        "Pattern of variables that the child does not get; may be repeated",
        (),
        flags=("exec-env-denylist",),
    ),
)


def connection_of(settings: Settings) -> Connection:
    """The connection that files, flags and Consul's variables describe. Raises ConfigError."""
    from pyconsul.tools.consul.connection import Connection

    access = consul_access_of(settings)
    return Connection(
        address=access.address.text,
        token=access.token,
        token_file=access.token_file,
        auth=access.auth,
        tls=access.tls,
        dial_timeout=settings["consul.transport.dial_timeout"],
        max_idle_connections=settings["consul.transport.max_idle_conns_per_host"],
        keep_alives=not settings["consul.transport.disable_keep_alives"],
    )


def consul_access_of(settings: Settings) -> ConsulAccess:
    """The part of the connection that Consul's variables may hold. Raises ConfigError."""
    given = {name: settings[key] for name, key in _ACCESS_KEYS.items() if settings.given(key)}
    if user := settings["consul.auth.username"]:
        given["auth"] = f"{user}:{settings['consul.auth.password']}"
    environ = dict(settings.environ)
    if not environ.get("CONSUL_HTTP_TOKEN"):
        environ["CONSUL_HTTP_TOKEN"] = environ.get("CONSUL_TOKEN", "")  # an older name, of the tools only
    if settings["consul.auth.enabled"] is False:
        given.pop("auth", None)
        environ.pop("CONSUL_HTTP_AUTH", None)
    try:
        return resolve_access(environ, given, _ACCESS_KEYS)
    except InvalidSetting as error:
        raise ConfigError(str(error)) from None


def retry_of(settings: Settings) -> RetryPolicy:
    """The `consul.RetryPolicy` that the settings describe."""
    from pyconsul.tools.consul.retry import RetryPolicy

    keys = ("enabled", "attempts", "backoff", "max_backoff")
    return RetryPolicy(**{key: settings["consul.retry." + key] for key in keys})


def child_environment(settings: Settings, variables: Mapping[str, str]) -> dict[str, str]:
    """What of `variables` the child gets as `exec.env` says."""
    keys = ("pristine", "custom", "allowlist", "denylist")
    return select_environment(variables, *(settings["exec.env." + key] for key in keys))


def select_environment(
    variables: Mapping[str, str], pristine: bool, custom: Sequence[str], allow: Sequence[str], deny: Sequence[str]
) -> dict[str, str]:
    """What of `variables` is passed on: nothing when `pristine`, else what patterns of names let pass; then `custom`.

    Without an allowlist all names are allowed; the denylist wins. `custom`: NAME=value.
    """
    from fnmatch import fnmatchcase

    def wanted(name: str) -> bool:
        allowed = not allow or any(fnmatchcase(name, pattern) for pattern in allow)
        return allowed and not any(fnmatchcase(name, pattern) for pattern in deny)

    kept = {} if pristine else {n: v for n, v in variables.items() if wanted(n)}
    for entry in custom:
        name, _, value = entry.partition("=")
        kept[name] = value
    return kept
