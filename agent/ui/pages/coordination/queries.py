"""Prepared queries: the list, which query answers a name, and the creation of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.reads import queries as reads
from pyconsul.agent.state.queries import TOPIC
from pyconsul.agent.ui.contract import Action, Field, Missing, Outcome, Page, PageRoute, Question, Refused
from pyconsul.agent.ui.pages.coordination import query_form
from pyconsul.agent.ui.pages.listing import part_of, words_match
from pyconsul.agent.ui.visit import Visit

ANSWERS = "It answers under its name over HTTP and DNS, as soon as it is created."
EXAMPLE = {
    "Name": "near-web",
    "Service": {"Service": "web", "Tags": [], "OnlyPassing": True, "Near": "_agent"},
    "DNS": {"TTL": "10s"},
}


@dataclass(frozen=True, slots=True)
class Row:
    """A query.  what: what it asks for, in words; found_as: its name in DNS, "" for templates and queries without a name."""

    id: str
    name: str
    is_template: bool
    service: str
    what: tuple[str, ...]
    found_as: str
    session: str


def show(visit: Visit) -> Page:
    """Show the queries, by name."""
    search = visit.params.get("filter", "").strip()
    found: list[PreparedQuery] = visit.read(reads.every(visit.view, visit.caller))
    rows = [row_of(visit, query) for query in found]
    if search:
        rows = [row for row in rows if words_match(search, row.name, row.service, row.id, *row.what)]
    rows.sort(key=lambda row: (row.name.lower(), row.id))
    part = part_of(visit, rows, partial(_address, visit))
    return Page(
        "queries.html",
        "Prepared queries",
        "queries",
        {"total": len(rows), "all": len(found), "rows": part.rows, "part": part, "search": search},
    )


def row_of(visit: Visit, query: PreparedQuery) -> Row:
    """Return a query as lists show it."""
    is_template = bool(query.template.type)
    domain = visit.config.domain.rstrip(".")
    name = f"{query.name or query.id}.query.{domain}" if not is_template else ""
    return Row(query.id, query.name, is_template, query.service.service, in_words(query), name, query.session)


def in_words(query: PreparedQuery) -> tuple[str, ...]:
    """Return what a query asks for besides its service."""
    service, parts = query.service, []
    parts += [f"without tag {tag[1:]}" if tag.startswith("!") else f"tag {tag}" for tag in service.tags or ()]
    parts += [f"node {name}={value}" for name, value in (service.node_meta or {}).items()]
    parts += [f"service {name}={value}" for name, value in (service.service_meta or {}).items()]
    if service.only_passing:
        parts.append("only passing")
    if service.near:
        near = {"_agent": "the asking agent", "_ip": "the asking address"}.get(service.near, service.near)
        parts.append(f"near {near}")
    elsewhere = _elsewhere(service.failover)
    if elsewhere:
        parts.append(f"else in {elsewhere}")
    if query.dns.ttl:
        parts.append(f"DNS TTL {query.dns.ttl}")
    return tuple(parts)


def _elsewhere(failover: Any) -> str:
    """Return the datacenters that a query asks next, in words."""
    nearest = [f"the nearest {failover.nearest_n} datacenters"] if failover.nearest_n else []
    targets = [target.peer or target.datacenter for target in failover.targets or ()]
    return ", ".join([*nearest, *(failover.datacenters or ()), *targets])


def _address(visit: Visit, number: int) -> str:
    return visit.links.to("queries", filter=visit.params.get("filter", ""), part=number if number > 1 else "")


# Names


async def resolve(visit: Visit) -> Page:
    """Show which query answers a name."""
    name = visit.params.get("name", "").strip()
    query, reason = None, ""
    if name:
        answer = await visit.ask("GET", f"/v1/query/{name}/explain")
        if answer.ok:
            query = msgspec.convert(answer.json()["Query"], PreparedQuery)
        else:
            reason = answer.text
    visit.depend((TOPIC,))
    data: dict[str, Any] = {"name": name, "reason": reason, "query": None}
    if query is not None:
        data["query"] = row_of(visit, query)
        data["definition"] = pretty(query)
    return Page("query_name.html", "Which query answers a name", "queries", data)


# Creation


def builtins_of(query: PreparedQuery) -> dict[str, Any]:
    """Return a query as the API takes it, without its indexes and what it leaves open."""
    fields = msgspec.to_builtins(query)
    kept = {name: value for name, value in fields.items() if name not in ("CreateIndex", "ModifyIndex")}
    found: dict[str, Any] = query_form.given(kept)
    return found


def pretty(query: PreparedQuery) -> str:
    """Return a query as JSON, without its indexes and what it leaves open."""
    return msgspec.json.format(msgspec.json.encode(builtins_of(query)), indent=2).decode()


def definition_field(value: str) -> Field:
    """Return the input of a definition."""
    return Field("definition", "Definition", "area", value, required=True, hint="JSON, as /v1/query takes it.")


def ask_create(visit: Visit) -> Question:
    """Ask for the usual fields of a query."""
    return Question(
        "New query",
        (ANSWERS,),
        "Create the query",
        f"curl -X POST -d @query.json {visit.api}/v1/query",
        fields=query_form.fields_of({"Service": {"OnlyPassing": True}}),
    )


def ask_create_json(visit: Visit) -> Question:
    """Ask for the definition of a query."""
    example = msgspec.json.format(msgspec.json.encode(EXAMPLE), indent=2).decode()
    return Question(
        "New query as JSON",
        (ANSWERS,),
        "Create the query",
        f"curl -X POST -d @query.json {visit.api}/v1/query",
        fields=(definition_field(example),),
    )


async def create(visit: Visit) -> Outcome:
    """Create a query of the fields."""
    return await _create(visit, query_form.merged(visit.form, {}), "")


async def create_json(visit: Visit) -> Outcome:
    """Create a query of a definition."""
    return await _create(visit, definition_of(visit), "definition")


async def _create(visit: Visit, given: dict[str, Any], field: str) -> Outcome:
    answer = await send(visit, "POST", "/v1/query", given, "The query was not created", field)
    query_id = answer.json()["ID"]
    return Outcome(f'Created the query "{given.get("Name") or query_id}".', visit.links.to("queries", query_id))


def definition_of(visit: Visit) -> dict[str, Any]:
    """Return the definition of the form.  Raises Refused."""
    text = visit.form.get("definition", "")
    try:
        given = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Refused("This is not JSON", "", "", definition=_with_line(str(error), text)) from None
    if not isinstance(given, dict):
        raise Refused("This is not a query", "", "", definition='A query is an object: {"Name": …, "Service": {…}}.')
    return given


def _with_line(reason: str, text: str) -> str:
    """Return an error of the decoder with the line instead of the byte."""
    before, found, place = reason.partition(" (byte ")
    number = place.rstrip(")")
    if not found or not number.isdigit():
        return reason
    line = text.encode()[: int(number)].count(b"\n") + 1
    return f"line {line}: {before}"


async def send(visit: Visit, method: str, path: str, given: object, failed: str, field: str) -> Any:
    """Write a query; a refusal stands at a field of the form, or above all without one.  Raises Refused."""
    try:
        return await visit.send(method, path, given, failed=failed)
    except Refused as error:
        if error.status == 403 or not field:
            raise
        raise Refused(failed, "", error.advice, status=error.status, **{field: error.reason}) from None


def named(found: Sequence[PreparedQuery], query_id: str) -> PreparedQuery:
    """Return the only query of a list.  Raises Missing for an empty one."""
    if not found:
        raise Missing(
            f'Query "{query_id}" does not exist',
            "",
            "It may have been deleted, or your token does not show it (query:read).",
        )
    return found[0]


PAGES = (
    PageRoute(
        "queries", show, {"create": Action(create, ask_create), "create-json": Action(create_json, ask_create_json)}
    ),
    PageRoute("queries/name", resolve),
)
