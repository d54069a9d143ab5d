"""SERVICE_ variables and labels of a container: which keys a port has, and which values are malformed. Pure.

Precedence, highest first: label for the port, variable for the port, label, variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyconsul.agent.common.suggest import did_you_mean
from pyconsul.tools.registrator.desired.containers import Container, Port

PREFIX = "SERVICE_"
#: Keys that are not metadata of the service.
FIELDS = ("name", "tags", "id")
CHECK_KINDS = (
    "check_http",
    "check_https",
    "check_cmd",
    "check_script",
    "check_ttl",
    "check_tcp",
    "check_grpc",
)
CHECK_OPTIONS = (
    "check_interval",
    "check_timeout",
    "check_initial_status",
    "check_deregister_after",
    "check_http_method",
    "check_https_method",
    "check_grpc_use_tls",
    "check_tls_skip_verify",
)
#: Consul's limits for metadata of a service; three pairs are registrator's own.
MAX_PAIRS = 64 - 3
MAX_KEY = 128
MAX_VALUE = 512

_NUMBER = re.compile(r"[+-]?[0-9]+")
#: Those that agents refuse in names, IDs, tags and metadata.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_META_KEY = re.compile(r"[A-Za-z0-9_-]+")
#: Prefixes of metadata that Consul keeps for itself, and of registrator's own.
_RESERVED = ("consul-", "registrator-")


@dataclass(frozen=True, slots=True)
class Value:
    """A value and the variable or label it comes from."""

    text: str
    source: str


Metadata = Mapping[str, Value]


def metadata_of(container: Container, port: Port) -> dict[str, Value]:
    """Return the keys of one port, in lower case; tags, name, ID and checks are among them."""
    general: dict[str, Value] = {}
    own: dict[str, Value] = {}
    for name, text in _entries(container):
        number, key = _split(name)
        if number is None:
            general[key] = Value(text, name)
        elif number == str(port.number):
            own[key] = Value(text, name)
    return {**general, **own}


def text_of(metadata: Metadata, key: str) -> str:
    """Return the value of a key; an empty one counts as not set."""
    found = metadata.get(key)
    return found.text if found else ""


def without_control_characters(text: str) -> str:
    """Return a text without control characters: line breaks of files with variables get into values."""
    return _CONTROL.sub("", text)


def one_line(text: str) -> str:
    """Return a text with its control characters escaped, for lines of logs and reports."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def cleaned(metadata: Metadata) -> tuple[Metadata, list[str]]:
    """Return the metadata without control characters, the same if it has none, and warnings."""
    found = [value for value in metadata.values() if _CONTROL.search(value.text)]
    if not found:
        return metadata, []
    whole = {key: Value(without_control_characters(value.text), value.source) for key, value in metadata.items()}
    return whole, [f"{value.source}: control characters are not allowed; they are left out" for value in found]


def unusable_id(text: str) -> str:
    """Return why a service with this ID could never be removed; empty for a usable one."""
    *segments, last = text.split("/")
    if "" in segments or {".", ".."} & {*segments, last}:
        return "an ID is a part of URLs: it has no empty segment, . or .. between its slashes"
    return ""


def service_meta(metadata: Metadata) -> tuple[dict[str, str], list[str]]:
    """Return the metadata of the service, as far as Consul takes it, and warnings about the rest."""
    meta: dict[str, str] = {}
    warnings: list[str] = []
    for key, value in sorted(metadata.items()):
        if key in FIELDS:
            continue
        if problem := _problem(key, value.text):
            warnings.append(f"{value.source}: {problem}; left out of the metadata")
        elif len(meta) == MAX_PAIRS:
            warnings.append(f"{value.source}: more than {MAX_PAIRS} keys; left out of the metadata")
        else:
            meta[key] = value.text
    return meta, warnings


def _problem(key: str, text: str) -> str:
    """Return why Consul refuses a pair; empty if it does not. The value is not shown: it may be a secret."""
    if not _META_KEY.fullmatch(key):
        return "allowed in keys are letters, digits, _ and -"
    if key.startswith(_RESERVED):
        return "keys that start with consul- or registrator- are reserved"
    if len(key) > MAX_KEY:
        return f"a key has at most {MAX_KEY} characters"
    return f"a value has at most {MAX_VALUE} bytes" if len(text.encode()) > MAX_VALUE else ""


def unused_settings(container: Container, ports: Mapping[Port, object]) -> Iterator[str]:
    """Yield warnings about keys without effect: ports that the container lacks, and unknown settings of checks."""
    numbers = {str(port.number) for port in ports}
    known = (*CHECK_KINDS, *CHECK_OPTIONS)
    for name, _ in _entries(container):
        number, key = _split(name)
        if number is not None and number not in numbers:
            there = f"its ports are {', '.join(sorted(numbers, key=int))}" if numbers else "it has none"
            yield f"{name}: the container has no port {number}; {there}"
        elif key.startswith("check_") and key not in known:
            allowed = ", ".join(one.upper() for one in known)
            yield f"{name}: unknown check setting{did_you_mean(key, known)} (allowed: {allowed})"


def _entries(container: Container) -> Iterator[tuple[str, str]]:
    """Yield the variables, then the labels, which win."""
    for source in (container.env, container.labels):
        for name, text in source.items():
            if name.startswith(PREFIX):
                yield name, text


def _split(name: str) -> tuple[str | None, str]:
    """Return the port that a name is for, if any, and its key."""
    key = name.removeprefix(PREFIX).lower()
    number, underscore, rest = key.partition("_")
    return (number, rest) if underscore and _NUMBER.fullmatch(number) else (None, key)
