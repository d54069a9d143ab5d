"""Rules between settings; those of a single value stand in its declaration."""

from __future__ import annotations

import re

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.problems import Problems

_NAME_IN_DNS = re.compile(r"[A-Za-z0-9-]{1,63}")
_ANY = ("0.0.0.0", "::")


def validate(config: Config, given_expect: int, problems: Problems) -> None:
    """Gathers what cannot work together; `given_expect` is `bootstrap_expect` as it was written."""
    errors = problems.errors
    if not config.data_dir and not config.dev_mode:
        errors.append("data_dir cannot be empty: give -data-dir FOLDER, or -dev to keep everything in memory")
    if given_expect and not config.server:
        errors.append("bootstrap_expect > 0 requires server = true")
    if config.bootstrap and not config.server:
        errors.append("bootstrap = true requires server = true")
    if given_expect > 1 and config.bootstrap:
        errors.append("bootstrap_expect > 0 and bootstrap = true are mutually exclusive")
    if config.bootstrap_expect and config.dev_mode:
        errors.append("bootstrap_expect > 0 is not allowed with -dev")
    if config.advertise_addr in _ANY or config.advertise_addr_wan in _ANY:
        errors.append(
            "advertise_addr: an address that stands for all is not allowed; allowed: one IP address of this host"
        )
    if config.default_query_time > config.max_query_time:
        errors.append("default_query_time must not be longer than max_query_time")
    if config.enable_script_checks and config.enable_local_script_checks:
        problems.warnings.append("enable_script_checks allows everything that enable_local_script_checks does")
    _warn_of_names(config, problems)
    _warn_of_grpc(config, problems)
    _check_ports(config, problems)


def at_start(config: Config) -> list[str]:
    """What does not make the settings invalid, but an agent cannot start with: a line for each."""
    errors = []
    if config.acl.default_policy not in ("allow", "deny"):
        errors.append(f"acl.default_policy: {config.acl.default_policy!r} is not allowed; allowed: allow or deny")
    if config.acl.down_policy not in ("allow", "deny", "extend-cache", "async-cache"):
        errors.append(
            f"acl.down_policy: {config.acl.down_policy!r} is not allowed; "
            "allowed: allow, deny, extend-cache or async-cache"
        )
    return errors


def _warn_of_names(config: Config, problems: Problems) -> None:
    if not _NAME_IN_DNS.fullmatch(config.node_name):
        problems.warnings.append(
            f"node name {config.node_name!r} cannot be found by DNS: that takes 1 to 63 letters, digits and dashes"
        )
    for definition in config.services:
        name = str(definition.body.get("name", ""))
        if name and not _NAME_IN_DNS.fullmatch(name):
            problems.warnings.append(
                f"{definition.source}: service {name!r} cannot be found by DNS: that takes 1 to 63 letters, digits and dashes"
            )


def _warn_of_grpc(config: Config, problems: Problems) -> None:
    for name in ("grpc", "grpc_tls"):
        if getattr(config.ports, name) > 0:
            problems.lacking[f"ports.{name}"] = "gRPC"


def _check_ports(config: Config, problems: Problems) -> None:
    """Two TCP servers cannot have one port; Consul names the pair, too."""
    taken: dict[int, str] = {}
    for name in ("dns", "http", "https", "server", "serf_lan", "serf_wan"):
        number = getattr(config.ports, name)
        if number > 0 and number in taken:
            problems.errors.append(f"ports.{name}: port {number} is already that of ports.{taken[number]}")
        taken.setdefault(number, name)
