"""One `server` line: its address, its settings, and the commands that bring a running HAProxy to it. Pure.

Commands: section 9.3 of https://docs.haproxy.org/2.6/management.html; settings: section 5.2 of the configuration
manual. What is not known for sure to work at runtime needs a reload.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping

from pyconsul.tools.template.haproxy.config import Server, decode

#: How many values follow a setting of a server that may be added at runtime.
_ADDABLE = {
    **dict.fromkeys(("backup", "check", "check-send-proxy", "check-ssl", "send-proxy", "send-proxy-v2", "ssl"), 0),
    **dict.fromkeys(("addr", "downinter", "error-limit", "fall", "fastinter", "inter", "maxconn", "maxqueue"), 1),
    **dict.fromkeys(("minconn", "observe", "on-error", "on-marked-down", "on-marked-up", "pool-low-conn"), 1),
    **dict.fromkeys(("pool-max-conn", "pool-purge-delay", "port", "rise", "slowstart", "weight"), 1),
    **dict.fromkeys(("check-sni", "sni", "verify", "verifyhost"), 1),
}
#: The same for settings that are about names, and mean nothing beside an IP address.
_OF_NAMES = dict.fromkeys(("init-addr", "resolve-net", "resolve-opts", "resolve-prefer"), 1)
#: The same for settings beside which another one, or the address, may be changed.
_KNOWN = {
    **_ADDABLE,
    **_OF_NAMES,
    **dict.fromkeys(("disabled", "enabled", "no-backup", "no-check", "tfo"), 0),
    **dict.fromkeys(("alpn", "ca-file", "check-alpn", "check-proto", "ciphers", "ciphersuites", "cookie", "crt"), 1),
    **dict.fromkeys(("id", "proto", "ssl-max-ver", "ssl-min-ver", "ws"), 1),
}
_REVOKED = {"enabled": "disabled", "no-backup": "backup", "no-check": "check"}
#: Settings because of which even an address is left to a reload: somebody else decides on it, too, or follows it.
_FIXED = frozenset({"agent-check", "resolvers", "redir", "track"})
_CHANGEABLE = {"disabled", "maxconn", "weight"}
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_VALUE = re.compile(r"[A-Za-z0-9_.,:%/@+()-]+")
_NUMBER = re.compile(r"[0-9]{1,9}")
_LARGEST_PORT = 65535

Settings = Mapping[str, str]


class NeedsReload(Exception):
    """A change cannot be made at runtime; the text says why."""


def settings_of(server: Server) -> Settings | None:
    """Return its settings, those of `default-server` lines included; None if not all of them are known here."""
    found: dict[str, str] = {}
    words = [decode(word) for word in (*server.inherited, *server.words)]
    while words:
        word = words.pop(0)
        if len(words) < _KNOWN.get(word, len(words) + 1):
            return None
        found.pop(_REVOKED.get(word, ""), None)
        if word not in _REVOKED:
            found[word] = words.pop(0) if _KNOWN[word] else ""
    return found


def has(server: Server, setting: str) -> bool:
    """Return whether a setting without a value seems to be there."""
    settings = settings_of(server)
    return setting in (server.inherited + server.words if settings is None else settings)


def address_of(server: Server) -> tuple[str, int]:
    """Return the IP address and the port. Raises NeedsReload for any other form, such as a name or a port that is mapped."""
    host, _, port = decode(server.address).rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise NeedsReload(f"server {server.key}: {server.address} is not an IP address and a port") from None
    if not _NUMBER.fullmatch(port) or not 0 < int(port) <= _LARGEST_PORT or "%" in str(address):
        raise NeedsReload(f"server {server.key}: {server.address} is not an IP address and a port")
    return str(address), int(port)


def additions(server: Server) -> list[str]:
    """Return the commands that make a new server. Raises NeedsReload."""
    settings = settings_of(server)
    _require_names(server)
    if settings is None:
        raise NeedsReload(f"server {server.key}: not all of its settings can be given at runtime")
    if odd := sorted(settings.keys() - _ADDABLE.keys() - _OF_NAMES.keys() - {"disabled"}):
        raise NeedsReload(f"server {server.key}: {odd[0]} cannot be given to a server that is added at runtime")
    host, port = address_of(server)
    shown = f"[{host}]" if ":" in host else host
    given = _with_implied({setting: value for setting, value in settings.items() if setting in _ADDABLE})
    if odd := [value for value in given.values() if value and not _VALUE.fullmatch(value)]:
        raise NeedsReload(f"server {server.key}: the value {odd[0]} cannot be given at runtime")
    words = [word for pair in given.items() for word in pair if word]
    commands = [" ".join(("add server", server.key, f"{shown}:{port}", *words))]
    if "check" in settings:
        commands.append(f"enable health {server.key}")
    return commands if "disabled" in settings else [*commands, ready(server)]


def _with_implied(settings: Settings) -> Settings:
    """Return a file's server is checked like it is used, unless at another place; one that is added has to be told so."""
    if "check" not in settings or "port" in settings or "addr" in settings:
        return settings
    proxied = "send-proxy" in settings or "send-proxy-v2" in settings
    implied = {"check-ssl": "ssl" in settings, "check-send-proxy": proxied}
    return {**settings, **{setting: "" for setting, holds in implied.items() if holds}}


def removals(server: Server) -> list[str]:
    """Return the commands that take a server out of use, without an end to its connections. Raises NeedsReload."""
    _require_names(server)
    if has(server, "on-marked-down"):
        raise NeedsReload(f"server {server.key}: on-marked-down would end its connections")
    return [f"set server {server.key} state maint"]


def ready(server: Server) -> str:
    """Return the command that puts it (back) to use."""
    return f"set server {server.key} state ready"


def changes(old: Server, new: Server) -> list[str]:
    """Return the commands that make one server of the other, of the same name. Raises NeedsReload."""
    if old == new:
        return []
    _require_names(new)
    before, after = settings_of(old), settings_of(new)
    if fixed := sorted(_FIXED & {decode(word) for word in (*new.inherited, *new.words)}):
        raise NeedsReload(f"server {new.key}: it has {fixed[0]}")
    if before is None or after is None:
        if (old.words, old.inherited) != (new.words, new.inherited):
            raise NeedsReload(f"server {new.key}: not all of its settings can be changed at runtime")
        return list(_move(old, new))
    differing = {key for key in {**before, **after} if before.get(key) != after.get(key)}
    if odd := sorted(differing - _CHANGEABLE):
        raise NeedsReload(f"server {new.key}: {odd[0]} cannot be changed at runtime")
    return [*_move(old, new), *_set(new, differing, after)]


def _move(old: Server, new: Server) -> Iterator[str]:
    if old.address == new.address:
        return
    address_of(old)  # A name would be resolved again.
    host, port = address_of(new)
    yield f"set server {new.key} addr {host} port {port}"
    if has(new, "check"):
        # What was found out about the old address says nothing about the new one; a reload starts like this, too.
        yield f"set server {new.key} health up"


def _set(new: Server, differing: set[str], after: Settings) -> Iterator[str]:
    if "weight" in differing:
        yield f"set server {new.key} weight {_number(new, 'weight', after.get('weight', '1'))}"
    if "maxconn" in differing:
        if "minconn" in after:
            raise NeedsReload(f"server {new.key}: maxconn cannot be changed beside minconn")
        yield f"set maxconn server {new.key} {_number(new, 'maxconn', after.get('maxconn', '0'))}"
    if "disabled" in differing:
        yield from removals(new) if "disabled" in after else [ready(new)]


def _number(server: Server, setting: str, value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise NeedsReload(f"server {server.key}: {setting} {value} is not a number")
    return value


def _require_names(server: Server) -> None:
    if not _NAME.fullmatch(server.backend) or not _NAME.fullmatch(server.name):
        raise NeedsReload(f"server {server.key}: its name cannot be given in a command")
