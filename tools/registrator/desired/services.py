"""The services that a container should have. Pure.

A service is written as its settings say. When the agent refuses that, its `fallback` is written instead: malformed values are
replaced, or a check that the agent does not run is replaced by one that is critical and says why.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyconsul.tools.registrator.desired.checks import Check, Target, described_check
from pyconsul.tools.registrator.desired.containers import Container, Port, State
from pyconsul.tools.registrator.desired.metadata import (
    PREFIX,
    Metadata,
    cleaned,
    metadata_of,
    service_meta,
    text_of,
    unusable_id,
    unused_settings,
    without_control_characters,
)
from pyconsul.tools.registrator.desired.ownership import CONTAINER, DIGEST, ENGINE, PAUSED, STOPPING
from pyconsul.tools.registrator.desired.ports import AddressRules, Endpoint, Unreachable, candidates, endpoints
from pyconsul.tools.registrator.desired.template_contract import Template, TemplateFailed

#: Of the check that follows HEALTHCHECK.
HEALTH_TTL = "10m"
_OUTPUT_BYTES = 3500
_COMMAS = re.compile(r"(?<!\\),")
_HEALTH = {"healthy": "passing", "unhealthy": "critical", "starting": "critical"}
ALIVE = "pyconsul registrator sees the container"


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings of the registrator, as far as services depend on them.

    `host`: its host name, in IDs. `engine`: the identity of the engine, for ownership. `ttl_s`: of the check that says that
    registrator is there; 0 for none.
    """

    host: str
    engine: str = ""
    addresses: AddressRules = field(default_factory=AddressRules)
    explicit: bool = False
    tags: Template | None = None
    more_tags: Template | None = None
    name: Template | None = None
    compose_tags: bool = False
    health: bool = True
    ttl_s: int = 0


@dataclass(frozen=True, slots=True)
class Beat:
    """The wanted state of a TTL check that registrator updates."""

    check_id: str
    status: str
    output: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service as it should be registered. `body`: for `PUT /v1/agent/service/register`, with ownership in Meta."""

    container: Container
    port: Port
    body: Mapping[str, Any]
    beats: tuple[Beat, ...] = ()
    maintenance: str = ""
    fallback: Service | None = None
    explicit_id: bool = False

    @property
    def id(self) -> str:
        return str(self.body["ID"])

    @property
    def name(self) -> str:
        return str(self.body["Name"])

    @property
    def digest(self) -> str:
        return str(self.body["Meta"][DIGEST])

    @property
    def checks(self) -> frozenset[str]:
        """Return the IDs of its checks."""
        return frozenset(check["CheckID"] for check in self.body["Checks"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """The services of one container; `reasons`: why ports, or all of it, are not registered."""

    services: tuple[Service, ...] = ()
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def services_of(container: Container, rules: Rules, others: Mapping[str, Container], stopping: bool = False) -> Outcome:
    """Return the services of a running container. `stopping`: it has been asked to end."""
    if container.state is State.ENDED:
        return Outcome(reasons=("it does not run",))
    try:
        ports = candidates(container, rules.addresses)
        reached = endpoints(container, rules.addresses, others)
    except Unreachable as error:
        return Outcome(reasons=(str(error),))
    warnings = list(unused_settings(container, ports))
    reasons: list[str] = []
    services: list[Service] = []
    maker = _Maker(container, rules, len(ports) > 1, stopping)
    for endpoint in reached:
        metadata = metadata_of(container, endpoint.inside)
        if reason := _ignored(metadata, rules, endpoint):
            reasons.append(reason)
            continue
        service, found = maker.make(endpoint, metadata)
        if any(other.id == service.id for other in services):
            found.append(
                f"{_source(metadata, 'id')}: the ID {service.id!r} is that of another port; the default ID is used"
            )
            service, _ = maker.make(endpoint, {key: value for key, value in metadata.items() if key != "id"})
        services.append(service)
        warnings += found
    return Outcome(tuple(services), tuple(reasons), tuple(dict.fromkeys(warnings)))


def _ignored(metadata: Metadata, rules: Rules, endpoint: Endpoint) -> str:
    if text_of(metadata, "ignore"):
        return f"port {endpoint.inside}: {metadata['ignore'].source} is set"
    if rules.explicit and not text_of(metadata, "name"):
        number = endpoint.inside.number
        return f"port {endpoint.inside}: -explicit wants {PREFIX}NAME or {PREFIX}{number}_NAME"
    return ""


def _source(metadata: Metadata, key: str) -> str:
    return metadata[key].source if key in metadata else PREFIX + key.upper()


class _Maker:
    """Makes the services of one container."""

    def __init__(self, container: Container, rules: Rules, several: bool, stopping: bool) -> None:
        self._container = container
        self._rules = rules
        self._several = several
        paused = PAUSED if container.state is State.PAUSED else ""
        self._maintenance = STOPPING if stopping or container.state is State.STOPPING else paused

    def make(self, endpoint: Endpoint, metadata: Metadata) -> tuple[Service, list[str]]:
        """Return the service of a port, and warnings."""
        clean, warnings = cleaned(metadata)
        explicit_id = self._explicit_id(endpoint, clean, warnings)
        service_id = explicit_id or self._default_id(endpoint)
        target = Target(endpoint.address, endpoint.port, self._container.id, endpoint.inside.number)
        mended = described_check(clean, target)
        written = mended.written if clean is metadata else described_check(metadata, target).written
        warnings += mended.warnings
        body = self._body(endpoint, service_id, clean, warnings)
        raw = body if clean is metadata else self._body(endpoint, service_id, metadata, [])
        forms = [(raw, written), (body, mended.mended), *([(body, _refused_check())] if written else [])]
        service: Service | None = None
        for place in range(len(forms) - 1, -1, -1):  # the last resort first
            if place == 0 or forms[place] != forms[place - 1]:
                service = self._service(endpoint, *forms[place], bool(explicit_id), service)
        assert service is not None
        return service, warnings

    def _explicit_id(self, endpoint: Endpoint, metadata: Metadata, warnings: list[str]) -> str:
        """Return the ID of SERVICE_ID; empty without a usable one."""
        given = text_of(metadata, "id")
        if problem := unusable_id(given):
            warnings.append(f"{_source(metadata, 'id')}={given}: {problem}; the default ID is used")
        return "" if problem or endpoint.further else given

    def _body(self, endpoint: Endpoint, service_id: str, metadata: Metadata, warnings: list[str]) -> dict[str, Any]:
        """Return what is registered, without the checks."""
        name = self._name(endpoint.inside, metadata, warnings)
        tags = self._tags(endpoint.inside, metadata, name, warnings)
        meta, refused = service_meta(metadata)
        warnings += refused
        owned = {**meta, ENGINE: self._rules.engine, CONTAINER: self._container.id}
        place = {"Port": endpoint.port, "Address": endpoint.address}
        return {"ID": service_id, "Name": name, "Tags": tags, **place, "Meta": owned}

    def _service(
        self, endpoint: Endpoint, body: dict[str, Any], check: Check | None, explicit_id: bool, fallback: Service | None
    ) -> Service:
        """Return one form of a service, with the digest of all of it."""
        service_id, owned = str(body["ID"]), body["Meta"]
        beats = tuple(self._beats(service_id))
        checks = [*_main_check(service_id, check), *(self._beat_check(beat) for beat in beats)]
        digest = digest_of({**body, "Checks": checks})
        # The status of a beat changes without another registration: it is not part of the digest.
        begun = {beat.check_id: {"Status": beat.status} for beat in beats}
        checks = [{**one, **begun.get(one["CheckID"], {})} for one in checks]
        whole = {**body, "Meta": {**owned, DIGEST: digest}, "Checks": checks}
        return Service(self._container, endpoint.inside, whole, beats, self._maintenance, fallback, explicit_id)

    def _default_id(self, endpoint: Endpoint) -> str:
        inside = endpoint.inside
        name = f"{self._rules.host}:{self._container.name}:{inside.number}"
        name += ":udp" if inside.protocol == "udp" else ""
        return f"{name}@{endpoint.address}:{endpoint.port}" if endpoint.further else name

    def _name(self, port: Port, metadata: Metadata, warnings: list[str]) -> str:
        given = text_of(metadata, "name")
        if given and _is_of_port(metadata["name"].source):
            return given
        base = given or _image_name(self._container.image)
        name = f"{base}-{port.number}" if self._several else base
        if self._rules.name is None or given:
            return name
        rendered = self._rendered(self._rules.name, port, name, warnings, f"the name {name} is used")
        return rendered.strip() or name

    def _tags(self, port: Port, metadata: Metadata, name: str, warnings: list[str]) -> list[str]:
        """Return the tags: each list of registrator's comes out last first."""
        tags = split_tags(text_of(metadata, "tags"))[::-1]
        if self._rules.tags is not None:
            forced = self._rendered(self._rules.tags, port, name, warnings, "these tags are left out")
            tags += split_tags(forced)[::-1]
        if self._rules.more_tags is not None:
            tags += split_tags(self._rendered(self._rules.more_tags, port, name, warnings, "these tags are left out"))
        if self._rules.compose_tags:
            found = (("project", self._container.project), ("service", self._container.compose_service))
            tags += [f"{kind}-{value}" for kind, value in found if value]
        return [*tags, "udp"] if port.protocol == "udp" else tags

    def _rendered(self, template: Template, port: Port, name: str, warnings: list[str], action: str) -> str:
        try:
            return without_control_characters(template.render(self._container, port, name))
        except TemplateFailed as error:
            warnings.append(f"{error}; {action}")
            return ""

    def _beats(self, service_id: str) -> list[Beat]:
        beats = []
        health = self._container.health if self._rules.health else None
        if health is not None:
            output = health.output.encode()[:_OUTPUT_BYTES].decode(errors="ignore").strip()
            text = f"HEALTHCHECK: {health.status}" + (f"\n{output}" if output else "")
            beats.append(Beat(f"service:{service_id}:healthcheck", _HEALTH.get(health.status, "critical"), text))
        if self._rules.ttl_s:
            beats.append(Beat(f"service:{service_id}:registrator", "passing", ALIVE))
        return beats

    def _beat_check(self, beat: Beat) -> Check:
        """Return a TTL check; its status belongs to the agent's state, not to the registration."""
        if beat.check_id.endswith(":healthcheck"):
            return {"CheckID": beat.check_id, "Name": "HEALTHCHECK of the container", "TTL": HEALTH_TTL}
        return {"CheckID": beat.check_id, "Name": "pyconsul registrator", "TTL": f"{self._rules.ttl_s}s"}


def _is_of_port(source: str) -> bool:
    """Return whether a variable is for one port, as SERVICE_80_NAME."""
    number, underscore, _ = source.removeprefix(PREFIX).partition("_")
    return bool(underscore) and number.isdecimal()


def _main_check(service_id: str, check: Check | None) -> list[Check]:
    return [] if check is None else [{"CheckID": f"service:{service_id}", **check}]


def _refused_check() -> Check:
    """Return the check in place of one that the agent refuses: critical, since the health is not known."""
    notes = "The agent refused the check of this service; the log and /explain of pyconsul registrator say why."
    return {"TTL": "24h", "Status": "critical", "Notes": notes}


def _image_name(image: str) -> str:
    """Return the last part of an image's name, up to its first colon."""
    return image.rpartition("/")[2].partition(":")[0]


def split_tags(text: str) -> list[str]:
    r"""Return the tags of a list; `\,` is a comma, empty ones are dropped."""
    return [tag for part in _COMMAS.split(text) if (tag := part.replace("\\,", ","))]


def digest_of(body: Mapping[str, Any]) -> str:
    """Return the digest of a registration; it says whether checks, which the agent does not show, have changed."""
    data = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def conflicts(outcomes: Sequence[Outcome]) -> tuple[dict[str, Service], list[tuple[Service, str]]]:
    """Return the services by ID, and those whose ID another container has, with the reason: the last started wins."""
    chosen: dict[str, Service] = {}
    lost: list[tuple[Service, str]] = []
    services = [service for outcome in outcomes for service in outcome.services]
    for service in sorted(services, key=lambda one: (one.container.started, one.container.id)):
        if (other := chosen.get(service.id)) is not None:
            lost.append((other, f"the ID {service.id!r} is that of container {service.container.name}, started later"))
        chosen[service.id] = service
    return chosen, lost
