"""One prepared query: its definition, its result now, and its change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyconsul.agent.model.query import PreparedQuery
from pyconsul.agent.reads import queries as reads
from pyconsul.agent.state.contract import Refused as StateRefused
from pyconsul.agent.ui.contract import Action, Field, Missing, Outcome, Page, PageRoute, Question, Refused
from pyconsul.agent.ui.pages.coordination import query_form
from pyconsul.agent.ui.pages.coordination.queries import (
    builtins_of,
    definition_field,
    definition_of,
    named,
    pretty,
    row_of,
    send,
)
from pyconsul.agent.ui.shown import worst
from pyconsul.agent.ui.visit import Visit

LIMIT = 100  # results that are shown


@dataclass(frozen=True, slots=True)
class Found:
    """An instance that a query finds."""

    service: str
    id: str
    node: str
    address: str
    tags: tuple[str, ...]
    state: str


async def show(visit: Visit) -> Page:
    """Show a query, and with `?run` what it finds now."""
    query = _query(visit)
    row = row_of(visit, query)
    asked = visit.params.get("run")
    data: dict[str, Any] = {
        "query": query,
        "row": row,
        "definition": pretty(query),
        "asked": asked,
        "example": f"{query.name}NAME" if row.is_template else query.name or query.id,
        "write_lacks": _lacks(visit, query),
        "found": [],
        "reason": "",
        "resolved": "",
    }
    if asked is not None:
        name = (asked.strip() if row.is_template else "") or query.id
        data["found"], data["resolved"], data["reason"] = await _run(visit, name)
    return Page("query.html", query.name or query.id, "queries", data)


def _query(visit: Visit) -> PreparedQuery:
    """Return the query of the address.  Raises Missing."""
    query_id = visit.names["id"]
    try:
        return named(visit.read(reads.one(visit.view, visit.caller, query_id)) or (), query_id)
    except StateRefused:
        raise Missing(f'Query "{query_id}" does not exist', "An address of a query ends in its ID.") from None


async def _run(visit: Visit, name: str) -> tuple[list[Found], str, str]:
    """Return what a query finds, the service that it asked for, and why it cannot be run."""
    answer = await visit.ask("GET", f"/v1/query/{name}/execute", limit=LIMIT)
    if not answer.ok:
        return [], "", answer.text
    visit.depend(("nodes", "services", "checks"))
    result = answer.json()
    return [_found(one) for one in result["Nodes"] or ()], result["Service"], ""


def _found(one: dict[str, Any]) -> Found:
    service, node = one["Service"], one["Node"]
    host = service["Address"] or node["Address"]
    return Found(
        service["Service"],
        service["ID"],
        node["Node"],
        f"[{host}]:{service.get('Port', 0)}" if ":" in host else f"{host}:{service.get('Port', 0)}",
        tuple(service["Tags"] or ()),
        worst(check["Status"] for check in one["Checks"] or ()),
    )


def ask_edit(visit: Visit) -> Question:
    """Ask for other values of the usual fields."""
    query = _query(visit)
    definition = builtins_of(query)
    rest = query_form.others(definition)
    stays = (f"What this form does not have stays as it is: {', '.join(rest)}.",) if rest else ()
    return _question(visit, query, query_form.fields_of(definition), stays)


def ask_edit_json(visit: Visit) -> Question:
    """Ask for another definition."""
    query = _query(visit)
    return _question(visit, query, (definition_field(pretty(query)),))


def _question(visit: Visit, query: PreparedQuery, fields: tuple[Field, ...], more: tuple[str, ...] = ()) -> Question:
    name = query.name or query.id
    return Question(
        f'Change the query "{name}"',
        ("The new definition answers from the next request on.", *more),
        f'Save the query "{name}"',
        f"curl -X PUT -d @query.json {visit.api}/v1/query/{query.id}",
        fields=fields,
        lacks=_lacks(visit, query),
        carry=(("index", str(query.modify_index)),),
    )


async def edit(visit: Visit) -> Outcome:
    """Store other values of the usual fields, unless the query has changed meanwhile."""
    query = _query(visit)
    return await _store(visit, query, query_form.merged(visit.form, builtins_of(query)), "")


async def edit_json(visit: Visit) -> Outcome:
    """Store another definition, unless the query has changed meanwhile."""
    return await _store(visit, _query(visit), definition_of(visit), "definition")


async def _store(visit: Visit, query: PreparedQuery, given: dict[str, Any], field: str) -> Outcome:
    failed = "The query was not saved"
    if visit.form.get("index", "") != str(query.modify_index):
        raise Refused(
            failed,
            "It has been changed since this form was opened.",
            "Copy what you have written, open the form again, and compare.",
            status=409,
        )
    if given.get("Token") == reads.REDACTED:
        if not field:
            raise Refused(
                failed, "Its token is hidden.", "Edit it as JSON, and give a token, or an empty one, as Token."
            )
        raise Refused(failed, "", definition="Its token is hidden: give a token, or an empty one, as Token.")
    await send(visit, "PUT", f"/v1/query/{query.id}", given, failed, field)
    return Outcome(f'Saved the query "{given.get("Name") or query.id}".')


def ask_delete(visit: Visit) -> Question:
    """Ask before a query is deleted."""
    query = _query(visit)
    name, row = query.name or query.id, row_of(visit, query)
    how = f"names that begin with {query.name}" if row.is_template else row.found_as
    return Question(
        f'Delete the query "{name}"?',
        (f"DNS and HTTP do not answer {how} any more.", "The service and its instances stay as they are."),
        f'Delete the query "{name}"',
        f"curl -X DELETE {visit.api}/v1/query/{query.id}",
        destructive=True,
        lacks=_lacks(visit, query),
    )


async def delete(visit: Visit) -> Outcome:
    """Delete a query."""
    query = _query(visit)
    await visit.send("DELETE", f"/v1/query/{query.id}", failed="The query was not deleted")
    return Outcome(f'Deleted the query "{query.name or query.id}".', visit.links.to("queries"))


def _lacks(visit: Visit, query: PreparedQuery) -> str:
    return visit.lacks("query:write", query.name) if reads.has_rules(query) else ""


PAGES = (
    PageRoute(
        "queries/{id}",
        show,
        {
            "edit": Action(edit, ask_edit),
            "edit-json": Action(edit_json, ask_edit_json),
            "delete": Action(delete, ask_delete),
        },
    ),
)
