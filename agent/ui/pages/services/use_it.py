"""The panel "Use it" of a service: commands and snippets to copy, DNS names with their answers, queries, a dashboard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from shlex import quote as shell_quote
from urllib.parse import quote

from pyconsul.agent.dnsd.wire.layout import A
from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.reads import queries
from pyconsul.agent.ui.dashboards import service_dashboard
from pyconsul.agent.ui.pages.services.dns_answers import Answered, answers, is_label, names_of
from pyconsul.agent.ui.visit import Visit

MAX_QUERIES = 3  # whose DNS names are shown


@dataclass(frozen=True, slots=True)
class Snippet:
    """A text to copy."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class UseIt:
    """The contents of the panel.   queries: names and addresses of prepared queries.   dashboard: an address, "" for none."""

    snippets: tuple[Snippet, ...]
    names: tuple[Answered, ...]
    queries: tuple[tuple[str, str], ...]
    dashboard: str


def use_it(visit: Visit, name: str, tags: Iterable[str]) -> UseIt:
    """Return the panel of a service."""
    rows: list[PreparedQuery] = visit.read(queries.every(visit.view, visit.caller))
    using = [query for query in rows if query.service.service.lower() == name.lower()]
    found = list(names_of(name, tags, visit.config.domain))
    for query in using[:MAX_QUERIES]:
        if query.name and not query.template.type:
            found.append((f"{query.name}.query.{visit.config.domain.strip('.')}", A))
    links = tuple((query.name or query.id, visit.links.to("queries", query.id)) for query in using)
    return UseIt(
        _snippets(visit, name),
        tuple(answers(visit, found)),
        links,
        service_dashboard(visit.config.ui_config, name, visit.datacenter),
    )


def _snippets(visit: Visit, name: str) -> tuple[Snippet, ...]:
    ports, domain = visit.config.ports, visit.config.domain.strip(".")
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    found = []
    if is_label(name) and ports.dns > 0:
        found.append(Snippet("Addresses", f"dig @127.0.0.1 -p {ports.dns} +short {name}.service.{domain}"))
        found.append(Snippet("Ports, too", f"dig @127.0.0.1 -p {ports.dns} +short {name}.service.{domain} SRV"))
    address = f"http://{visit.api}/v1/health/service/{quote(name, safe='')}?passing"
    found.append(Snippet("Healthy instances", f"curl -s {shell_quote(address)}"))
    found.append(Snippet("Checks", f"pyconsul health {shell_quote(name)}"))
    loop = f'{{{{ range service "{escaped}" }}}}{{{{ .Address }}}}:{{{{ .Port }}}}\n{{{{ end }}}}'
    found.append(Snippet("Template (.ctmpl)", loop))
    jinja = f'{{% for s in service("{escaped}") %}}{{{{ s.address }}}}:{{{{ s.port }}}}\n{{% endfor %}}'
    found.append(Snippet("Template (Jinja2)", jinja))
    return tuple(found)
