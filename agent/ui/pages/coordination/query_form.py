"""The usual fields of a prepared query as a form, beside its whole definition as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyconsul.agent.ui.contract import Field, Refused

Definition = dict[str, Any]
MAX_NEAREST = 1000
#: Fields of definitions that the form has, as paths.
_OWN = {"Name", "Service.Service", "Service.Tags", "Service.OnlyPassing", "Service.Near", "Service.Failover.NearestN",
        "Service.Failover.Datacenters", "DNS.TTL"}  # fmt: skip


def fields_of(definition: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the inputs, with what a definition says."""
    service = definition.get("Service") or {}
    failover = service.get("Failover") or {}
    return (
        Field("name", "Name", value=definition.get("Name") or "", hint="The name to ask for, over HTTP and DNS."),
        Field("service", "Service", value=service.get("Service") or "", required=True),
        Field(
            "tags",
            "Tags",
            "lines",
            "\n".join(service.get("Tags") or ()),
            hint="One a line; an instance must have them all. With ! before it, it must not have the tag.",
        ),
        Field(
            "passing",
            "Only passing instances",
            "checkbox",
            "true" if service.get("OnlyPassing") else "",
            hint="Without it, instances with warnings are found, too; critical ones never are.",
        ),
        Field(
            "near",
            "Nearest first, seen from",
            value=service.get("Near") or "",
            hint="A node, _agent for the agent that is asked, or _ip for the client. Empty: in random order.",
        ),
        Field(
            "nearest",
            "Datacenters to try when none is found here",
            "number",
            str(failover.get("NearestN") or ""),
            hint="The nearest ones, by round trips; 0 or empty for none.",
        ),
        Field(
            "datacenters",
            "Then these datacenters",
            "lines",
            "\n".join(failover.get("Datacenters") or ()),
            hint="One a line, in this order.",
        ),
        Field(
            "ttl",
            "DNS TTL",
            value=(definition.get("DNS") or {}).get("TTL") or "",
            hint="How long resolvers may keep an answer, as 10s. Empty: the agent's setting.",
        ),
    )


def merged(form: Mapping[str, str], before: Mapping[str, Any]) -> Definition:
    """Return a definition with the fields of the form; what the form does not have stays.  Raises Refused."""
    service = dict(before.get("Service") or {})
    failover = dict(service.get("Failover") or {})
    failover |= {"NearestN": _number(form.get("nearest", "")), "Datacenters": _lines(form.get("datacenters", ""))}
    service |= {
        "Service": form.get("service", "").strip(),
        "Tags": _lines(form.get("tags", "")),
        "OnlyPassing": form.get("passing") == "true",
        "Near": form.get("near", "").strip(),
        "Failover": failover,
    }
    dns = {**(before.get("DNS") or {}), "TTL": form.get("ttl", "").strip()}
    found: Definition = given({**before, "Name": form.get("name", "").strip(), "Service": service, "DNS": dns})
    return found


def given(value: Any) -> Any:
    """Return a value without the empty fields of its objects."""
    if not isinstance(value, dict):
        return value
    return {name: kept for name, item in value.items() if (kept := given(item))}


def others(definition: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the fields of a definition that the form does not have, as paths."""
    return tuple(path for path in _paths(given(dict(definition)), "") if path not in _OWN and path != "ID")


def _paths(value: Mapping[str, Any], before: str) -> list[str]:
    found: list[str] = []
    for name, item in value.items():
        path = before + name
        is_inner = isinstance(item, dict) and any(own.startswith(f"{path}.") for own in _OWN)
        found += _paths(item, f"{path}.") if is_inner else [path]
    return found


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _number(text: str) -> int:
    text = text.strip() or "0"
    if not (text.isascii() and text.isdecimal()) or int(text) > MAX_NEAREST:
        raise Refused("The query was not saved", "", nearest=f"Give a number from 0 to {MAX_NEAREST:,}.")
    return int(text)
