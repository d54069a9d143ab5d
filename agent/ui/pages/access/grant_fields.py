"""The grants of a token or role as the fields of a form, and back as the body of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pyconsul.agent.model.acl import Grants
from pyconsul.agent.state.acl.tables import POLICIES, ROLES
from pyconsul.agent.state.contract import View
from pyconsul.agent.ui.contract import Refused
from pyconsul.agent.ui.visit import Visit

CHOICES = 100  # that a form shows; others are added by name
WRONG = "This form has a mistake"


@dataclass(frozen=True, slots=True)
class GrantFields:
    """The fields.  policies, roles: chosen names.

    services, nodes, templates: a line each: `web`, `web dc1,dc2`; `n1`, `n1 dc1`; `builtin/service web`.
    """

    policies: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    services: str = ""
    nodes: str = ""
    templates: str = ""


def of_grants(view: View, grants: Grants) -> GrantFields:
    """Return the fields that show grants."""
    policies = (view[POLICIES].get(one) for one in grants.policies)
    roles = (view[ROLES].get(one) for one in grants.roles)
    services = [_line(one.service_name, one.datacenters) for one in grants.service_identities]
    templates = [_line(f"{one.template_name} {one.name or ''}", one.datacenters) for one in grants.templated_policies]
    return GrantFields(
        tuple(row.name for row in policies if row is not None),
        tuple(row.name for row in roles if row is not None),
        "\n".join(services),
        "\n".join(f"{one.node_name} {one.datacenter}" for one in grants.node_identities),
        "\n".join(templates),
    )


def of_form(visit: Visit) -> GrantFields:
    """Return the fields as they were sent."""
    return GrantFields(
        _names(visit, "policy"),
        _names(visit, "role"),
        visit.form.get("services", ""),
        visit.form.get("nodes", ""),
        visit.form.get("templates", ""),
    )


def body_of(fields: GrantFields, datacenter: str) -> dict[str, Any]:
    """Return the grants of a request.  datacenter: of node identities that name none.  Raises Refused."""
    return {
        "Policies": [{"Name": name} for name in fields.policies],
        "Roles": [{"Name": name} for name in fields.roles],
        "ServiceIdentities": _lines("services", fields.services, _service),
        "NodeIdentities": _lines("nodes", fields.nodes, lambda words: _node(words, datacenter)),
        "TemplatedPolicies": _lines("templates", fields.templates, _template),
    }


def choices(names: Iterable[str], chosen: tuple[str, ...]) -> list[str]:
    """Return the names that a form offers, those that are chosen first."""
    known = [name for name in names if name not in chosen]
    return [*chosen, *known[: max(0, CHOICES - len(chosen))]]


def _names(visit: Visit, field: str) -> tuple[str, ...]:
    """Return the chosen names, and those that were typed, separated by commas."""
    typed = [name.strip() for name in visit.form.get(f"{field}-more", "").split(",")]
    return tuple(dict.fromkeys(name for name in (*visit.chosen(field), *typed) if name))


def _line(name: str, datacenters: Iterable[str]) -> str:
    return f"{name.strip()} {','.join(datacenters)}".strip()


def _lines(field: str, text: str, read: Callable[[list[str]], dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(read(line.split()))
        except ValueError as error:
            refused = Refused(WRONG)
            refused.fields[field] = f"line {number}: {error}"
            raise refused from None
    return found


def _service(words: list[str]) -> dict[str, Any]:
    if len(words) > 2:
        raise ValueError(f"{' '.join(words)!r} is not a service, with datacenters if it is for some only: web dc1,dc2")
    return {"ServiceName": words[0], "Datacenters": _datacenters(words[1:])}


def _node(words: list[str], datacenter: str) -> dict[str, Any]:
    if len(words) > 2:
        raise ValueError(f"{' '.join(words)!r} is not a node with its datacenter: n1 dc1")
    return {"NodeName": words[0], "Datacenter": words[1] if len(words) == 2 else datacenter}


def _template(words: list[str]) -> dict[str, Any]:
    if len(words) > 3:
        raise ValueError(
            f"{' '.join(words)!r} is not a template with its name and datacenters: builtin/service web dc1"
        )
    given: dict[str, Any] = {"TemplateName": words[0], "Datacenters": _datacenters(words[2:])}
    if len(words) > 1:
        given["TemplateVariables"] = {"Name": words[1]}
    return given


def _datacenters(words: list[str]) -> list[str]:
    return [one for one in ",".join(words).split(",") if one]
