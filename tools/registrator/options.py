"""The flags of `pyconsul registrator`, and the settings that they and the environment describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pyconsul.agent.common.consul_environment import InvalidSetting, resolve_access
from pyconsul.agent.common.options import Args, Option, number, switch, text
from pyconsul.tools.pages.address import parse_address

if TYPE_CHECKING:
    from pyconsul.tools.consul.connection import Connection

#: Consul's minimum for sessions; as the TTL of a check, less than this makes services flap.
MIN_TTL_S = 10
LEVELS = ("trace", "debug", "info", "warn", "err")

IP = text("ip", "Address of every service that is published on the host, over all others.", metavar="address")
INTERNAL = switch("internal", "Register the containers' own addresses and the ports inside, published or not.")
NETWORK = text(
    "network",
    "Register the containers' addresses in this network and the ports inside; containers outside of it are not registered. "
    "Compose's networks can be named without their project.",
    metavar="name",
)
IPV6 = switch("ipv6", "Prefer IPv6 addresses, of the host and in networks.")
EXPLICIT = switch("explicit", "Only register services with a name of SERVICE_NAME or SERVICE_port_NAME.")
IP_LABEL = text("useIpFromLabel", "Label whose value is the address; over -ip and -internal.", metavar="label")
TAGS = text("tags", "Tags for every service, separated by commas; a Go template over the container.", metavar="list")
MORE_TAGS = text(
    "tags-template",
    "More tags, separated by commas: a Jinja2 template, as {{ labels.team }}, or a Go template, as {{.Config.Image}}.",
    metavar="template",
)
NAME = text(
    "name-template",
    "Name of services without SERVICE_NAME: a Jinja2 template, as {{ project }}-{{ name }}, or a Go template. `name` is the "
    "name without this flag.",
    metavar="template",
)
COMPOSE_TAGS = switch("compose-tags", "Add the tags project-NAME and service-NAME to services of Docker Compose.")
HEALTHCHECK = switch(
    "healthcheck",
    "Make a container's HEALTHCHECK a check of its services; -healthcheck=false disables it.",
    default=True,
)
DEREGISTER = text(
    "deregister",
    "When services of ended containers are removed: always, or on-success, which keeps those of containers that failed, until "
    "these are started or removed.",
    "always",
    metavar="always|on-success",
)
CLEANUP = switch(
    "cleanup",
    "At the start and at each look, remove all services with IDs HOST:CONTAINER:PORT that no running container has, also those "
    "that another registrator has left behind.",
)
RESYNC = number(
    "resync", "Seconds between full comparisons of containers and services; 0: only when something happens."
)
TTL = number(
    "ttl",
    "Seconds after which services turn critical, or keys of consulkv:// are deleted, when this program is gone; at least "
    f"{MIN_TTL_S}, less has no effect. Needs -ttl-refresh.",
)
TTL_REFRESH = number("ttl-refresh", "Seconds between renewals of -ttl, less than it.")
RETRY_ATTEMPTS = number(
    "retry-attempts", "Number of further tries to reach agent and engine at the start; -1: without limit."
)
RETRY_INTERVAL = number("retry-interval", "Milliseconds between these tries.", 2000)
DRY_RUN = switch("dry-run", "Print what would be written, and exit.")
STATUS_ADDRESS = text(
    "status-addr",
    "Serve /health, /metrics for Prometheus and /explain at host:port or unix:///path.",
    metavar="address",
)
LOG_LEVEL = text("log-level", "Minimum level of log messages.", "info", metavar="level", choices=LEVELS)

FLAGS: tuple[Option[Any], ...] = (
    IP, INTERNAL, NETWORK, IPV6, EXPLICIT, IP_LABEL, TAGS, MORE_TAGS, NAME, COMPOSE_TAGS, HEALTHCHECK, DEREGISTER, CLEANUP,
    RESYNC, TTL, TTL_REFRESH, RETRY_ATTEMPTS, RETRY_INTERVAL, DRY_RUN, STATUS_ADDRESS, LOG_LEVEL,
)  # fmt: skip

WAIT = text("wait", "Time between leaving the catalog and the end, as 5s.", "5s", metavar="duration")
STOP = switch("stop", "Stop the container afterwards.")
UNDO = switch("undo", "Put the container's services back into operation.")
CONSUL = text(
    "consul",
    "URI of the agent, as of pyconsul registrator; by default the agent of CONSUL_HTTP_ADDR.",
    "consul://",
    metavar="uri",
)
DRAIN_FLAGS: tuple[Option[Any], ...] = (WAIT, STOP, UNDO, CONSUL)

URIS = "consul://host:port, consul-tls://host:port, consul-unix:///path, consulkv://host:port/prefix or consulkv-unix://path:/prefix"


class SettingsError(Exception):
    """Flags, or variables of the environment, have values that are not allowed."""


class StartFailed(Exception):
    """A run cannot start; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """The meaning of a URI: an agent's address, "" for that of the environment; `prefix` of keys, None for the catalog."""

    address: str
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """A run: the flags, where Consul is, and the environment."""

    args: Args
    target: Target
    environ: Mapping[str, str]

    def __getitem__(self, option: Option[Any]) -> Any:
        return self.args[option]

    @property
    def ttl_s(self) -> int:
        """Return the TTL; 0 for one that is too small."""
        ttl: int = self[TTL]
        return ttl if ttl >= MIN_TTL_S else 0

    def connection(self) -> Connection:
        """Return the connection to Consul. Raises SettingsError."""
        from pyconsul.tools.consul.connection import Connection

        names = ("token", "token-file", "ca-file", "ca-path", "client-cert", "client-key", "tls-server-name")
        keys = ("token", "token_file", "ca_file", "ca_path", "cert", "key", "server_name")
        flags = {key: _flag(self.args, name) for key, name in zip(keys, names, strict=True)}
        given = {**flags, "address": self.target.address}
        try:
            access = resolve_access(
                self.environ, {key: value for key, value in given.items() if value}, {"address": "URI"}
            )
        except InvalidSetting as error:
            raise SettingsError(str(error)) from None
        return Connection(
            address=access.address.text,
            token=access.token,
            token_file=access.token_file,
            auth=access.auth,
            tls=access.tls,
        )


def _flag(args: Args, name: str) -> str:
    """Return the value of one of the flags that all commands share."""
    return args[text(name, "")]


def read_settings(args: Args, uri: str, environ: Mapping[str, str]) -> Settings:
    """Return the settings of a run. Raises SettingsError."""
    if args[DEREGISTER] not in ("always", "on-success"):
        raise SettingsError(f"invalid value {args[DEREGISTER]!r} for -deregister: use always or on-success")
    ttl, refresh = args[TTL], args[TTL_REFRESH]
    if (ttl or refresh) and not 0 < refresh < ttl:
        raise SettingsError(f"-ttl {ttl} and -ttl-refresh {refresh}: give both, the second one smaller and more than 0")
    if args[RETRY_INTERVAL] <= 0:
        raise SettingsError(f"invalid value {args[RETRY_INTERVAL]} for -retry-interval: use more than 0 milliseconds")
    if args[RETRY_ATTEMPTS] < -1:
        raise SettingsError(
            f"invalid value {args[RETRY_ATTEMPTS]} for -retry-attempts: use 0 or more, or -1 for no limit"
        )
    if args[RESYNC] < 0:
        raise SettingsError(f"invalid value {args[RESYNC]} for -resync: use 0 or more seconds")
    if address := args[STATUS_ADDRESS]:
        try:
            parse_address(address)
        except ValueError as error:
            raise SettingsError(f"-status-addr: {error}") from None
    return Settings(args, read_uri(uri), environ)


def read_uri(uri: str) -> Target:
    """Return what a URI means; user, password and the path of a catalog are ignored. Raises SettingsError."""
    scheme, colons, rest = uri.partition("://")
    try:
        parts = urlsplit(uri)
        authority = parts.netloc.rpartition("@")[2]
        if colons and parts.port == 0:
            raise ValueError("port 0")
    except ValueError as error:
        raise SettingsError(f"invalid URI {uri!r}: {error}; use {URIS}") from None
    if scheme == "consul" and colons:
        return Target(authority)
    if scheme == "consul-tls" and authority:
        return Target(f"https://{authority}")
    if scheme == "consul-unix" and rest:
        return Target(f"unix://{unquote(rest)}")
    prefix = unquote(parts.path).strip("/")
    if scheme == "consulkv" and prefix:
        return Target(authority, prefix)
    path, colon, prefix = rest.rpartition(":")
    if scheme == "consulkv-unix" and colon and path and prefix.strip("/"):
        return Target(f"unix://{path}", prefix.strip("/"))
    if scheme in ("consulkv", "consulkv-unix"):
        raise SettingsError(f"invalid URI {uri!r}: keys need a prefix, as in consulkv://host:port/services")
    raise SettingsError(f"invalid URI {uri!r}: use {URIS}")
