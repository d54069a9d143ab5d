"""The ten hardening lines of README's section "Security", compared with an agent's settings by `pyconsul doctor`. Pure.

`settings` is `DebugConfig` of `GET /v1/agent/self` as pyconsul writes it. A line whose settings are missing there (another
program, or a token without `agent:read`) returns no finding.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyconsul.cli.doctor.diagnosis import OK, WARNING, Finding

Settings = Mapping[str, Any]

_WRITE = re.compile(r'[=:]\s*"write"')
_COMMENT = re.compile(r"^\s*(?:#|//).*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Facts beside the settings; None where they are unknown.

    owner: user ID that owns the data folder. mode: its permission bits. anonymous_writes: requests without a token may
    write keys, services, nodes or ACLs. management: the given token may do everything.
    """

    owner: int | None = None
    mode: int | None = None
    anonymous_writes: bool | None = None
    management: bool | None = None


def findings(settings: Settings, surroundings: Surroundings) -> Iterator[Finding]:
    """Yield one finding for each line that can be checked, in the order of README."""
    for check in _LINES:
        try:
            finding = check(settings, surroundings)
        except (KeyError, TypeError, ValueError):
            continue
        if finding is not None:
            yield finding


def grants_writes(rules: Iterable[str]) -> bool:
    """Return whether policy rules, in HCL or JSON, allow any write."""
    return any(_WRITE.search(_COMMENT.sub("", text)) for text in rules)


def _user(settings: Settings, surroundings: Surroundings) -> Finding | None:
    if surroundings.owner is None:
        return None
    if surroundings.owner:
        return Finding("user", OK, "the agent's data does not belong to root")
    return Finding("user", WARNING, "the agent's data belongs to root", "Run the agent as a user without privileges.")


def _folder(settings: Settings, surroundings: Surroundings) -> Finding | None:
    if surroundings.mode is None:
        return None
    if surroundings.mode & 0o077:
        advice = f"chmod 700 {settings['DataDir']}"
        return Finding("data folder", WARNING, f"other users can read {settings['DataDir']}", advice)
    return Finding("data folder", OK, "only its owner can read the data folder")


def _acl(settings: Settings, surroundings: Surroundings) -> Finding:
    acl = settings["ACL"]
    if acl["Enabled"] and acl["DefaultPolicy"] == "deny":
        return Finding("ACLs", OK, "ACLs are on, and what no rule allows is denied")
    text = "ACLs are on, but what no rule mentions is allowed" if acl["Enabled"] else "ACLs are off"
    return Finding("ACLs", WARNING, text, 'Set acl { enabled = true, default_policy = "deny" }.')


def _anonymous(settings: Settings, surroundings: Surroundings) -> Finding | None:
    if surroundings.anonymous_writes is None:
        return None
    if surroundings.anonymous_writes:
        advice = "Remove write rules from the anonymous token's policies."
        return Finding("anonymous", WARNING, "requests without a token can write", advice)
    return Finding("anonymous", OK, "requests without a token cannot write")


def _management(settings: Settings, surroundings: Surroundings) -> Finding | None:
    if not surroundings.management:
        return None
    advice = "Use a token with the permissions that the task needs; keep the management token offline."
    return Finding("privileges", WARNING, "this token may do everything", advice)


def _http(settings: Settings, surroundings: Surroundings) -> Finding:
    if _local(settings, "HTTP"):
        return Finding("HTTP", OK, "HTTP is served on this machine only")
    advice = 'Set client_addr = "127.0.0.1", and put a proxy with TLS in front for other machines.'
    return Finding("HTTP", WARNING, "HTTP without TLS listens beyond loopback", advice)


def _writers(settings: Settings, surroundings: Surroundings) -> Finding:
    if _local(settings, "HTTP") or settings["HTTPConfig"]["AllowWriteHTTPFrom"]:
        return Finding("writers", OK, "writes are taken from known networks only")
    advice = "Name the networks that may write in http_config.allow_write_http_from."
    return Finding("writers", WARNING, "any machine that reaches HTTP may send writes", advice)


def _browsers(settings: Settings, surroundings: Surroundings) -> Finding:
    if "*" not in settings["HTTPConfig"]["AllowedHosts"]:
        return Finding("browsers", OK, "web pages of other sites cannot use this agent")
    advice = "List the names that are used, instead of *, in http_config.allowed_hosts."
    return Finding("browsers", WARNING, "any web page that a user opens can use this agent", advice)


def _scripts(settings: Settings, surroundings: Surroundings) -> Finding:
    if not settings["EnableScriptChecks"]:
        return Finding("scripts", OK, "requests cannot register programs to run")
    advice = "Set enable_local_script_checks instead of enable_script_checks."
    return Finding("scripts", WARNING, "requests can register programs that the agent runs", advice)


def _dns(settings: Settings, surroundings: Surroundings) -> Finding:
    if _local(settings, "DNS") or not settings["Recursors"]:
        return Finding("resolver", OK, "other machines cannot use this agent as a resolver for foreign names")
    advice = "Set addresses.dns to a loopback address, or remove recursors."
    return Finding("resolver", WARNING, "the agent resolves foreign names for everybody who reaches it", advice)


_LINES: tuple[Callable[[Settings, Surroundings], Finding | None], ...] = (
    *(_user, _folder, _acl, _anonymous, _management, _http, _writers, _browsers, _scripts, _dns),
)


def _local(settings: Settings, service: str) -> bool:
    """Return whether a service listens on loopback addresses and unix sockets only, or not at all."""
    if settings["Ports"][service] < 0:
        return True
    addresses = (settings["Addresses"][service] or settings["ClientAddr"]).split()
    return all(one.startswith("unix://") or ipaddress.ip_address(one.strip("[]")).is_loopback for one in addresses)
