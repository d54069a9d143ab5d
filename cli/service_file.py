"""Service definitions in configuration files (HCL or JSON), as the agent's API takes them.

The files: https://developer.hashicorp.com/consul/docs/services/configuration/services-configuration-reference
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyconsul.agent.common.files.hcl import HclSyntaxError, read_hcl
from pyconsul.agent.common.reasons import reason
from pyconsul.agent.common.suggest import did_you_mean
from pyconsul.cli.errors import CliError

_SERVICE = {
    "id": "ID", "name": "Name", "tags": "Tags", "address": "Address", "port": "Port", "meta": "Meta", "kind": "Kind",
    "socket_path": "SocketPath", "tagged_addresses": "TaggedAddresses", "weights": "Weights", "check": "Check",
    "checks": "Checks", "token": "Token", "enable_tag_override": "EnableTagOverride", "locality": "Locality",
    "connect": "Connect", "proxy": "Proxy",
}  # fmt: skip
_CHECK = {
    "id": "CheckID", "check_id": "CheckID", "name": "Name", "notes": "Notes", "status": "Status", "args": "Args",
    "script_args": "Args", "http": "HTTP", "header": "Header", "method": "Method", "body": "Body", "tcp": "TCP",
    "tcp_use_tls": "TCPUseTLS", "udp": "UDP", "grpc": "GRPC", "grpc_use_tls": "GRPCUseTLS", "h2ping": "H2PING",
    "h2ping_use_tls": "H2PingUseTLS", "os_service": "OSService", "ttl": "TTL", "interval": "Interval",
    "timeout": "Timeout", "docker_container_id": "DockerContainerID", "shell": "Shell", "alias_node": "AliasNode",
    "alias_service": "AliasService", "tls_server_name": "TLSServerName", "tls_skip_verify": "TLSSkipVerify",
    "disable_redirects": "DisableRedirects", "success_before_passing": "SuccessBeforePassing",
    "failures_before_warning": "FailuresBeforeWarning", "failures_before_critical": "FailuresBeforeCritical",
    "deregister_critical_service_after": "DeregisterCriticalServiceAfter", "service_id": "ServiceID",
    "output_max_size": "OutputMaxSize",
}  # fmt: skip
_WEIGHTS = {"passing": "Passing", "warning": "Warning"}
_ADDRESS = {"address": "Address", "port": "Port"}


def services_in(path: str) -> list[dict[str, Any]]:
    """Return the services a file defines, ready for /v1/agent/service/register. Raises CliError, naming file and key."""
    document = read_document(path)
    bodies = [*_list(document.get("service")), *_list(document.get("services"))]
    return [_service(body, path) for body in bodies]


def read_document(path: str) -> dict[str, Any]:
    """Return a file in HCL (named .hcl) or JSON; an HCL block is a list of objects. Raises CliError."""
    try:
        source = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"Error: cannot read {path}: {reason(error)}") from None
    if path.endswith(".hcl"):
        try:
            return read_hcl(source)
        except HclSyntaxError as error:
            where = f"line {error.line}" if error.line else "its end"
            raise CliError(f"Error: {path} is not HCL, at {where}") from None
    try:
        document = json.loads(source)
    except ValueError as error:
        raise CliError(f"Error: {path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise CliError(f"Error: {path} must hold an object")
    return document


def _service(body: Any, path: str) -> dict[str, Any]:
    service = _renamed(body, _SERVICE, f"{path}: service")
    where = f"{path}: service {service.get('Name', '')}"
    if "Weights" in service:
        service["Weights"] = _renamed(_block(service["Weights"]), _WEIGHTS, f"{where}: weights")
    if "Meta" in service:
        service["Meta"] = _block(service["Meta"])
    if "TaggedAddresses" in service:
        addresses = _block(service["TaggedAddresses"])
        service["TaggedAddresses"] = {
            name: _renamed(_block(address), _ADDRESS, f"{where}: tagged_addresses")
            for name, address in addresses.items()
        }
    checks = [
        _check(check, where) for check in (*_list(service.pop("Check", None)), *_list(service.pop("Checks", None)))
    ]
    if checks:
        service["Checks"] = checks
    return service


def _check(body: Any, where: str) -> dict[str, Any]:
    check = _renamed(body, _CHECK, f"{where}: check")
    if "Args" in check:  # Consul's own command cannot do it either: the agent would run what a client tells it to
        raise CliError(f"Error: {where}: a check with args cannot be registered; put it into the agent's configuration")
    if "Header" in check:
        check["Header"] = _block(check["Header"])
    return check


def _renamed(body: Any, names: dict[str, str], where: str) -> dict[str, Any]:
    """Return the body with the API's names; Consul takes them in files as well, in any case of letters."""
    if not isinstance(body, dict):
        raise CliError(f"Error: {where} must be an object")
    spelled = {**{api.lower(): api for api in names.values()}, **names}
    for name in body:
        if name.lower() not in spelled:
            raise CliError(f"Error: {where}: invalid key {name!r}{did_you_mean(name, names, lead='. Did you mean ')}")
    return {spelled[name.lower()]: value for name, value in body.items()}


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _block(value: Any) -> dict[str, Any]:
    """Return an object, or the HCL block it was written as: a list of one object."""
    entries = [entry for entry in _list(value) if isinstance(entry, dict)]
    return {name: content for entry in entries for name, content in entry.items()}
