"""Containers as the engine describes them (`GET /containers/ID/json`). Pure.

The fields used here exist in Docker's API from 1.24 on, and in Podman's compatible one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from signal import Signals
from typing import Any, NamedTuple

SHORT_ID = 12
_HOST_NETWORK = "host"
_SHARED_NETWORK = "container:"


class State(Enum):
    """State of a container, as far as services depend on it."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"  # asked to end; only Podman tells it as a state
    ENDED = "ended"  # created, restarting, removing, exited or dead


class Port(NamedTuple):
    """A port inside of a container."""

    number: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


class Binding(NamedTuple):
    """An address of the host on which a port is published; an empty `ip` means all addresses."""

    ip: str
    port: int


class Network(NamedTuple):
    """The addresses of a container in one network; empty without one."""

    ipv4: str = ""
    ipv6: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """The result of the container's HEALTHCHECK: `status` is starting, healthy or unhealthy."""

    status: str
    output: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """A container. `described`: the engine's JSON, for templates."""

    id: str
    name: str
    image: str = ""
    state: State = State.RUNNING
    exit_code: int = 0
    started: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    network_mode: str = "default"
    exposed: frozenset[Port] = frozenset()
    published: Mapping[Port, tuple[Binding, ...]] = field(default_factory=dict)
    networks: Mapping[str, Network] = field(default_factory=dict)
    health: Health | None = None
    stop_signal: int = Signals.SIGTERM
    described: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_on_host_network(self) -> bool:
        """Return whether it uses the host's network."""
        return self.network_mode == _HOST_NETWORK

    @property
    def network_owner(self) -> str:
        """Return the ID or name of the container whose network it shares; empty without one."""
        return self.network_mode.removeprefix(_SHARED_NETWORK) if self.shares_network else ""

    @property
    def shares_network(self) -> bool:
        """Return whether it uses the network of another container."""
        return self.network_mode.startswith(_SHARED_NETWORK)

    @property
    def project(self) -> str:
        """Return its project of Docker Compose; empty without one."""
        return self.labels.get("com.docker.compose.project", "")

    @property
    def compose_service(self) -> str:
        """Return its service of Docker Compose; empty without one."""
        return self.labels.get("com.docker.compose.service", "")


def read_container(described: Mapping[str, Any]) -> Container:
    """Read the answer of `GET /containers/ID/json`. Raises KeyError, TypeError or ValueError for another document."""
    config = described.get("Config") or {}
    state = described.get("State") or {}
    settings = described.get("NetworkSettings") or {}
    published = {_port(text): _bindings(found) for text, found in (settings.get("Ports") or {}).items()}
    return Container(
        id=described["Id"],
        name=described["Name"].removeprefix("/"),
        image=config.get("Image") or "",
        state=_state(state),
        exit_code=int(state.get("ExitCode") or 0),
        started=str(state.get("StartedAt") or ""),
        env=_pairs(config.get("Env")),
        labels={str(name): str(value) for name, value in (config.get("Labels") or {}).items()},
        network_mode=(described.get("HostConfig") or {}).get("NetworkMode") or "default",
        exposed=frozenset(_port(text) for text in config.get("ExposedPorts") or ()),
        published=published,
        networks=_networks(settings),
        health=_health(state.get("Health")),
        stop_signal=signal_number(str(config.get("StopSignal") or "TERM")) or Signals.SIGTERM,
        described=described,
    )


def signal_number(text: str) -> int | None:
    """Return the number of a signal that is written as 15, TERM, SIGTERM or RTMIN+3; None for another word."""
    word, plus, more = text.upper().removeprefix("SIG").partition("+")
    if word.isdecimal():
        return int(word)
    try:
        return Signals[f"SIG{word}"] + (int(more) if plus else 0)
    except (KeyError, ValueError):
        return None


def _state(state: Mapping[str, Any]) -> State:
    if state.get("Status") == State.STOPPING.value:
        return State.STOPPING
    if not state.get("Running") or state.get("Restarting"):
        return State.ENDED
    return State.PAUSED if state.get("Paused") else State.RUNNING


def _pairs(entries: Any) -> dict[str, str]:
    """Return the variables of a container; one without `=` has been unset."""
    split = (str(entry).partition("=") for entry in entries or ())
    return {name: value for name, equals, value in split if equals}


def _port(text: str) -> Port:
    number, _, protocol = text.partition("/")
    return Port(int(number), protocol or "tcp")


def _bindings(entries: Any) -> tuple[Binding, ...]:
    found = (Binding(str(entry.get("HostIp") or ""), int(entry.get("HostPort") or 0)) for entry in entries or ())
    return tuple(binding for binding in found if binding.port)


def _networks(settings: Mapping[str, Any]) -> dict[str, Network]:
    return {
        name: Network(str(one.get("IPAddress") or ""), str(one.get("GlobalIPv6Address") or ""))
        for name, one in (settings.get("Networks") or {}).items()
        if one
    }


def _health(health: Any) -> Health | None:
    status = (health or {}).get("Status") or ""
    if status in ("", "none"):
        return None
    log = health.get("Log") or []
    return Health(status, str(log[-1].get("Output") or "") if log else "")
