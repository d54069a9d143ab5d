"""Descriptions of containers as an engine gives them, and an agent that is a dictionary."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from pyconsul.tools.registrator.desired.containers import Container, read_container
from pyconsul.tools.registrator.desired.diff import (
    Deregister,
    Operation,
    Register,
    RemoveCheck,
    Report,
    SetMaintenance,
)
from pyconsul.tools.registrator.desired.ports import AddressRules
from pyconsul.tools.registrator.desired.registrations import Registration, read_registrations
from pyconsul.tools.registrator.desired.services import Rules

ENGINE = "ENGINE:1"
RULES = Rules(
    host="box", engine=ENGINE, addresses=AddressRules(ip="10.0.0.1", host_ipv4="10.0.0.9", host_ipv6="fd00::9")
)


def container_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def described(
    name: str = "web",
    *,
    image: str = "example.org/team/app:1.0",
    ports: Iterable[str] = (),
    expose: Iterable[str] = (),
    env: Iterable[str] = (),
    labels: Mapping[str, str] | None = None,
    network: str = "default",
    networks: Mapping[str, tuple[str, str]] | None = None,
    state: Mapping[str, Any] | None = None,
    health: str = "",
    output: str = "",
    **config: Any,
) -> dict[str, Any]:
    """Return the JSON of a container. `ports`: as `-p` takes them, with all parts: `0.0.0.0:8080:80/tcp`."""
    published: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        address, inside = port.rsplit(":", 1)
        ip, _, host_port = address.rpartition(":")
        inside += "" if "/" in inside else "/tcp"
        published.setdefault(inside, []).append({"HostIp": ip.strip("[]"), "HostPort": host_port})
    for one in () if network == "host" or network.startswith("container:") else expose:
        published.setdefault(one if "/" in one else f"{one}/tcp", [])
    exposed = {one if "/" in one else f"{one}/tcp": {} for one in expose} | {port: {} for port in published}
    there = {"bridge": ("172.17.0.2", "")} if networks is None else networks
    found = {"Status": "running", "Running": True, "StartedAt": "2026-01-01T00:00:00Z", "ExitCode": 0, **(state or {})}
    if health:
        found["Health"] = {"Status": health, "Log": [{"ExitCode": 0, "Output": output}]}
    return {
        "Id": container_id(name),
        "Name": f"/{name}",
        "Config": {"Image": image, "Env": list(env), "Labels": dict(labels or {}), "ExposedPorts": exposed, **config},
        "State": found,
        "HostConfig": {"NetworkMode": network},
        "NetworkSettings": {
            "Ports": {} if network == "host" else published,
            "Networks": {key: {"IPAddress": ip, "GlobalIPv6Address": ip6} for key, (ip, ip6) in there.items()},
        },
    }


def container(name: str = "web", **fields: Any) -> Container:
    return read_container(described(name, **fields))


class FakeAgent:
    """The services and checks of an agent, as its API shows them."""

    def __init__(self) -> None:
        self.services: dict[str, dict[str, Any]] = {}
        self.checks: dict[str, dict[str, Any]] = {}
        self.written: list[Operation] = []

    def registrations(self) -> dict[str, Registration]:
        return read_registrations(self.services, self.checks)

    def register(self, body: Mapping[str, Any]) -> None:
        shown = {key: body.get(key) for key in ("ID", "Tags", "Meta", "Port", "Address")}
        self.services[body["ID"]] = {**shown, "Service": body["Name"]}
        for check in body.get("Checks", ()):
            old = self.checks.get(check["CheckID"], {})
            status = old.get("Status") or check.get("Status") or "critical"
            self.checks[check["CheckID"]] = {
                "ServiceID": body["ID"],
                "Status": status,
                "Output": old.get("Output") or "",
            }

    def apply(self, operations: Iterable[Operation]) -> None:
        for operation in operations:
            self.written.append(operation)
            self._apply(operation)

    def _apply(self, operation: Operation) -> None:
        match operation:
            case Register(service, _):
                self.register(service.body)
            case Deregister(service_id, _):
                del self.services[service_id]
                self.checks = {key: one for key, one in self.checks.items() if one["ServiceID"] != service_id}
            case RemoveCheck(check_id):
                del self.checks[check_id]
            case SetMaintenance(service_id, reason):
                assert service_id in self.services
                key = f"_service_maintenance:{service_id}"
                if reason:
                    self.checks.setdefault(key, {"ServiceID": service_id, "Status": "critical", "Notes": reason})
                else:
                    self.checks.pop(key, None)
            case Report(beat):
                self.checks[beat.check_id] |= {"Status": beat.status, "Output": beat.output}
