"""The sources of pyenvconsul: prefixes of the KV store and services, their requests and the meaning of responses. Pure.

`path` and `params` are a query of Consul's HTTP API; `variables(answer)` turns its JSON into variables.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pyconsul.tools.envconsul.name_formats import render, replace_key
from pyconsul.tools.envconsul.options import NO_PREFIX, SERVICE_FIELDS, SERVICE_FORMATS
from pyconsul.tools.envconsul.variables import Variable, sanitize
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import Settings

_PREFIX = re.compile(r"/*([^@]*?)(/*)(?:@([\w.-]+))?")
_SERVICE = re.compile(r"(?:([\w:.-]+)\.)?([\w:-]+)(?:@([\w.-]+))?(?:~([\w.-]+))?")


class QueryError(ConfigError):
    """A query is invalid."""


class Source(Protocol):
    """One blocking query and the meaning of its answers (None: not found)."""

    @property
    def path(self) -> str: ...

    @property
    def params(self) -> dict[str, str]: ...

    def variables(self, answer: Any) -> Iterator[Variable]: ...


@dataclass(frozen=True)
class Prefix:
    """The keys that begin with `folder`, which ends with a slash only if it was given so. `written`: the path as the user
    gave it, which may become part of the names."""

    folder: str
    written: str
    datacenter: str = ""
    format: str = ""
    no_prefix: bool = True

    @property
    def path(self) -> str:
        return "/v1/kv/" + self.folder

    @property
    def params(self) -> dict[str, str]:
        return {"recurse": ""} | ({"dc": self.datacenter} if self.datacenter else {})

    def variables(self, answer: Any) -> Iterator[Variable]:
        for entry in answer or ():
            key = entry["Key"].removeprefix(self.folder).lstrip("/")
            if key:
                yield Variable(self._name(key), _decode(entry["Value"]), f"key {entry['Key']}")

    def _name(self, key: str) -> str:
        name = key if self.no_prefix else f"{sanitize(self.written)}_{key}"
        if not self.format:
            return name
        return render(self.format, {"key": lambda: name, "replaceKey": replace_key})


def _decode(value: str | None) -> str:
    """Return a KV value as the text that the system's environment takes byte by byte."""
    return os.fsdecode(base64.b64decode(value or ""))


@dataclass(frozen=True)
class Service:
    """The instances of one service, whatever their health; the last one wins."""

    name: str
    tag: str = ""
    datacenter: str = ""
    near: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return "/v1/catalog/service/" + self.name

    @property
    def params(self) -> dict[str, str]:
        given = {"tag": self.tag, "dc": self.datacenter, "near": self.near}
        return {name: value for name, value in given.items() if value}

    def variables(self, answer: Any) -> Iterator[Variable]:
        for entry in answer or ():
            values = {
                "id": entry["ServiceID"],
                "name": entry["ServiceName"],
                "address": entry.get("ServiceAddress", ""),
                "tag": ",".join(sorted(entry.get("ServiceTags") or ())),
                "port": str(entry.get("ServicePort", 0)),
            }
            if not all(isinstance(value, str) for value in values.values()):
                raise TypeError("a field of the instance is not a text")
            for key in SERVICE_FIELDS:
                yield Variable(self._name(key), values[key], f"{key} of service {self.name}")

    def _name(self, key: str) -> str:
        source = self.formats.get(key)
        if not source:
            return f"{self.name}/{key}"
        return render(source, {"service": lambda: self.name, "key": lambda: key, "replaceKey": replace_key})


def sources_of(settings: Settings, environ: Mapping[str, str]) -> list[Source]:
    """Prefixes, then services, in the order of files and flags. Raises ConfigError."""
    try:
        prefixes = [_prefix(block, settings, environ) for block in settings.blocks("prefix") if block.get("path")]
        services = [_service(block, settings) for block in settings.blocks("service")]
        sources: list[Source] = [*prefixes, *services]
        for source in sources:  # report a wrong format now, not when the first key appears
            if isinstance(source, Prefix):
                list(source.variables([{"Key": source.folder + "k", "Value": ""}]))
            else:
                list(source.variables([{"ServiceID": "", "ServiceName": ""}]))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return sources


def _prefix(block: Mapping[str, Any], settings: Settings, environ: Mapping[str, str]) -> Prefix:
    written = render(block.get("path", ""), {"env": lambda name: environ.get(name, "")})
    match = _PREFIX.fullmatch(written)
    if match is None:
        raise ConfigError(f"invalid prefix {written!r}: use path or path@datacenter")
    folder, slash, datacenter = match.groups()
    no_prefix = block.get("no_prefix")
    return Prefix(
        folder=folder + ("/" if folder and slash else ""),
        written=written.lstrip("/"),
        datacenter=datacenter or "",
        format=block.get("format", ""),
        no_prefix=settings[NO_PREFIX] if no_prefix is None else no_prefix,
    )


def _service(block: Mapping[str, Any], settings: Settings) -> Service:
    query = block.get("query", "")
    match = _SERVICE.fullmatch(query)
    if match is None:
        raise QueryError(f"invalid service query {query!r}: use name, tag.name, name@datacenter or name~node")
    tag, name, datacenter, near = match.groups()
    formats = {key: block.get("format_" + key) or settings[option] or "" for key, option in SERVICE_FORMATS.items()}
    return Service(name, tag or "", datacenter or "", near or "", formats)
