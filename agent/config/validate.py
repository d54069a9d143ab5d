"""Rules between settings; those of a single value stand in its declaration."""

from __future__ import annotations

import ipaddress
import re

from pyconsul.agent.common.go.base64_text import decode_go_base64
from pyconsul.agent.config.coerce import DETAIL
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.problems import Problems
from pyconsul.agent.config.sections.cluster import Etcd
from pyconsul.agent.config.table import Values
from pyconsul.agent.model.control_characters import fault_of_texts

_NAME_IN_DNS = re.compile(r"[A-Za-z0-9-]{1,63}")
_CLOUD_JOIN = re.compile(r"\bprovider=\S*|^exec=")
_ANY = ("0.0.0.0", "::")


def validate(config: Config, given: Values, problems: Problems) -> None:
    """Gathers what cannot work together; `given`: the values as they were written, and those of -dev."""
    errors = problems.errors
    _check_mode(config, given, errors)
    _check_etcd(config, problems)
    if config.advertise_reconnect_timeout and given.get("server", False):
        errors.append("advertise_reconnect_timeout can only be used on a client")
    if found := next(
        filter(None, map(_CLOUD_JOIN.search, config.retry_join)), None
    ):  # their other words may be secrets
        errors.append(
            f"retry_join: cloud auto-join ({found[0]}) is not supported; allowed: IP addresses and host names, for example "
            "a DNS name that resolves to the agents"
        )
    if config.snapshot_schedule.interval and not config.snapshot_schedule.dir and not config.data_dir:
        errors.append("snapshot_schedule.dir is needed with -dev, which has no data folder")
    if fault := _fault_of_key(config.encrypt):
        errors.append(f"encrypt has invalid key: {fault}")
    if config.advertise_addr in _ANY or config.advertise_addr_wan in _ANY:
        errors.append(
            f"Advertise address cannot be 0.0.0.0, :: or [::]\n{DETAIL}advertise_addr: allowed is one IP address of this host"
        )
    if not config.allow_control_characters:
        pairs = ((f"node_meta.{key}", value) for key, value in config.node_meta.items())
        errors.extend(filter(None, [fault_of_texts(pairs)]))
    if config.default_query_time > config.max_query_time:
        errors.append("default_query_time must not be longer than max_query_time")
    if config.enable_script_checks and config.enable_local_script_checks:
        problems.warnings.append("enable_script_checks allows everything that enable_local_script_checks does")
    _warn_of_expectations(config.bootstrap_expect, problems)
    _warn_of_exposure(config, problems)
    _warn_of_names(config, problems)
    _check_ports(config, problems)


def _check_mode(config: Config, given: Values, errors: list[str]) -> None:
    """Check the settings that say what the agent is: a server alone or of a cluster, or a client agent."""
    is_server, given_expect = given.get("server", False), given.get("bootstrap_expect", 0)
    if not config.data_dir and not config.dev_mode:
        errors.append(f"data_dir cannot be empty\n{DETAIL}give -data-dir FOLDER, or -dev to keep everything in memory")
    if config.dev_mode and not config.server and not config.data_dir:
        errors.append("server = false: -dev runs a server; give -data-dir FOLDER to run a client agent")
    if given_expect and not is_server:
        errors.append("'bootstrap_expect > 0' requires 'server = true'")
    if config.bootstrap and not is_server:
        errors.append("'bootstrap = true' requires 'server = true'")
    if given_expect > 1 and config.bootstrap:
        errors.append("'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive")
    if config.bootstrap_expect and config.dev_mode:
        errors.append("'bootstrap_expect > 0' not allowed in dev mode")


def _check_etcd(config: Config, problems: Problems) -> None:
    """Check the settings of an existing etcd."""
    etcd, errors = config.etcd, problems.errors
    if etcd.endpoints and config.bootstrap_expect > 1:
        errors.append(
            "'bootstrap_expect > 1' and 'etcd { endpoints }' are mutually exclusive: that cluster exists already"
        )
    if bool(etcd.cert_file) != bool(etcd.key_file):
        errors.append("etcd: cert_file and key_file are needed together")
    if bool(etcd.username) != bool(etcd.password):
        errors.append("etcd: username and password are needed together")
    if etcd != Etcd() and not etcd.endpoints:
        errors.append("etcd: endpoints are needed with the other settings of an existing etcd")
    if etcd.endpoints and (config.dev_mode or not config.server):
        kind = "-dev keeps everything in memory" if config.dev_mode else "a client agent asks the servers"
        problems.warnings.append(f"etcd {{ endpoints }} has no effect: {kind}")


def at_start(config: Config) -> list[str]:
    """Return reasons why an agent cannot start with these settings although they are valid, a line for each."""
    errors = list(config.refusals)
    if config.acl.enabled and config.primary_datacenter not in ("", config.datacenter):
        errors.append(
            f"primary_datacenter: tokens and policies would come from {config.primary_datacenter!r}, which this version cannot "
            "ask; remove the setting to manage them here"
        )
    if config.acl.default_policy not in ("allow", "deny"):
        errors.append(f"acl.default_policy: {config.acl.default_policy!r} is not allowed; allowed: allow or deny")
    if config.acl.down_policy not in ("allow", "deny", "extend-cache", "async-cache"):
        errors.append(
            f"acl.down_policy: {config.acl.down_policy!r} is not allowed; "
            "allowed: allow, deny, extend-cache or async-cache"
        )
    if _open_to_scripts(config) and not listens_locally(config):
        errors.append(
            "enable_script_checks: whoever reaches the HTTP API could run programs on this machine, and it listens beyond "
            "loopback addresses and unix sockets. Use enable_local_script_checks instead, or acl.enabled with "
            'default_policy "deny", or name the networks that may write in http_config.allow_write_http_from'
        )
    return errors


def listens_locally(config: Config) -> bool:
    """Return whether HTTP is served on loopback addresses and unix sockets only."""
    found: list[str] = []
    for port, addresses in (
        (config.ports.http, config.addresses.http),
        (config.ports.https, config.addresses.https),
    ):
        if port > 0:
            found += (addresses or config.client_addr).split()
    return all(one.startswith("unix://") or ipaddress.ip_address(one.strip("[]")).is_loopback for one in found)


def _fault_of_key(text: str) -> str:
    """Return why a gossip key is not base64; its length is checked when the keyring is made, as in Consul."""
    try:
        decode_go_base64(text)
    except ValueError as error:
        return str(error)
    return ""


def _open_to_scripts(config: Config) -> bool:
    """Return whether anyone who can send a request may register a check that runs a program."""
    if not config.enable_script_checks or (config.acl.enabled and config.acl.default_policy == "deny"):
        return False
    networks = [ipaddress.ip_network(one, strict=False) for one in config.http_config.allow_write_http_from]
    of_v4 = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv4Network))
    of_v6 = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv6Network))
    return not networks or any(one.prefixlen == 0 for one in of_v4) or any(one.prefixlen == 0 for one in of_v6)


def _warn_of_expectations(expect: int, problems: Problems) -> None:
    """Warn, as Consul does, of the number of servers to expect."""
    if expect < 2:
        return
    if expect == 2:
        problems.warnings.append("bootstrap_expect = 2: A cluster with 2 servers will provide no failure tolerance")
    elif expect % 2 == 0:
        problems.warnings.append(
            "bootstrap_expect is even number: A cluster with an even number of servers does not achieve optimum fault tolerance"
        )
    problems.warnings.append(f"bootstrap_expect > 0: expecting {expect} servers")


def _warn_of_exposure(config: Config, problems: Problems) -> None:
    if _open_to_scripts(config):
        problems.warnings.append(
            "DANGEROUS: enable_script_checks without ACLs and without http_config.allow_write_http_from lets every user and "
            "program on this machine run commands as the agent; use enable_local_script_checks instead"
        )
    if config.acl.enabled and config.ports.http > 0 and not listens_locally(config):
        problems.warnings.append(
            "tokens cross the network in clear text: HTTP without TLS listens beyond loopback (client_addr, addresses.http)"
        )


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


def _check_ports(config: Config, problems: Problems) -> None:
    """Reject two TCP servers with the same port; Consul names both as well."""
    taken: dict[int, str] = {}
    for name in ("dns", "http", "https", "server", "serf_lan", "serf_wan"):
        number = getattr(config.ports, name)
        if number > 0 and number in taken:
            problems.errors.append(f"ports.{name}: port {number} is already that of ports.{taken[number]}")
        taken.setdefault(number, name)
