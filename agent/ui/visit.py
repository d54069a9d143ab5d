"""One visit of a page: the state with the eyes of its caller, what the page depends on, and requests to the API in its name."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import LEVELS, NAMED, Rule
from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.state.contract import View
from pyconsul.agent.ui.contract import Missing, Refused
from pyconsul.agent.ui.kept import Kept
from pyconsul.agent.ui.links import Links, escaped

#: Answers a request of the HTTP API; never raises.
Begin: TypeAlias = Callable[[Request], Response | Awaitable[Response]]

READ_ONLY = "the web interface is read-only (ui_config.read_only)"
#: The end of the text of a refusal: see `Authorizer.denial`.
LACKS = re.compile(r"lacks permission '(\w+):(read|list|write)'(?: on \"(.*?)\"(?:$|\.| ))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of the HTTP API to a request of a page."""

    status: int
    body: bytes
    headers: Mapping[str, str]  # names in lower case

    @property
    def ok(self) -> bool:
        """Return whether the request was carried out."""
        return self.status < 400

    @property
    def text(self) -> str:
        """Return the body as text: the reason of a refusal."""
        return self.body.decode("utf-8", "replace").strip()

    def json(self) -> Any:
        """Return the decoded body."""
        return msgspec.json.decode(self.body)


class Visit:
    """A request for a page, or for one of its actions.

    names: the parts of the address that the page's route names.   params: the query, of a parameter given twice the first.
    form: the fields of a sent form; the file of an upload as text.   now: Unix seconds.
    kept: results that pages use again for a short time.   local: the page is about the agent that shows it.
    """

    __slots__ = (
        "_begin",
        "context",
        "form",
        "kept",
        "links",
        "local",
        "names",
        "now",
        "params",
        "prefixes",
        "request",
        "topics",
    )

    def __init__(
        self, context: Context, request: Request, links: Links, begin: Begin, kept: Kept | None = None
    ) -> None:
        self.kept = kept or Kept()
        self.context, self.request, self.links, self._begin = context, request, links, begin
        self.names: Mapping[str, str] = {}
        self.local = False
        self.params: Mapping[str, str] = request.params
        self.form: Mapping[str, str] = {}
        self.now = time.time()
        self.topics: dict[str, None] = {}
        self.prefixes: dict[str, None] = {}

    @property
    def view(self) -> View:
        """Return the state; what depends on it comes through `read`."""
        return self.context.view

    @property
    def caller(self) -> Authorizer:
        """Return the permissions of the caller.  Raises UnknownToken."""
        return self.request.caller

    @property
    def config(self) -> Config:
        """Return the settings of the agent that shows the page."""
        return self.context.config

    @property
    def datacenter(self) -> str:
        """Return the datacenter that the page is about."""
        return self.links.datacenter

    @property
    def api(self) -> str:
        """Return the address of the HTTP API for commands to copy."""
        port = self.config.ports.http
        return f"localhost:{port if port > 0 else 8500}"

    @property
    def agent(self) -> str:
        """Return the node name of the agent that the browser talks to."""
        return self.context.agent_of(self.request)

    def read(self, result: Result) -> Any:
        """Return the rows of a read; the page is shown again when they change."""
        self.depend(result.topics, result.prefixes)
        return result.value

    def depend(self, topics: tuple[str, ...], prefixes: tuple[str, ...] = ()) -> None:
        """Show the page again when a topic changes."""
        self.topics.update(dict.fromkeys(topics))
        self.prefixes.update(dict.fromkeys(prefixes))

    def chosen(self, name: str) -> tuple[str, ...]:
        """Return every value of a form field or parameter that may be given several times."""
        given = self.form.get(name) if self.form else None
        if given is not None:
            return tuple(part for part in given.split("\n") if part)
        return tuple(self.request.multi(name))

    # Permissions

    def lacks(self, permission: str, name: str = "") -> str:
        """Return the rule that the caller lacks for `key:write` and the like, as text; "" if nothing is missing.

        Nothing may be written in the read-only mode.
        """
        kind, _, level = permission.partition(":")
        if level != "read" and self.config.ui_config.read_only:
            return READ_ONLY
        if self.caller.allows(kind, LEVELS[level], name):
            return ""
        rule = Rule(kind, name, kind in NAMED and not name, LEVELS[level])  # without a name: for all names
        return f"needs the rule {rule}"

    # The HTTP API

    async def ask(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None, **params: object
    ) -> Answer:
        """Return the answer of the API to a request with the caller's token.

        path: not escaped.   body: bytes as they are, anything else as JSON.   params: of the query; None leaves one out.
        """
        response = await self.open(method, path, body, headers=headers, **params)
        parts = b"" if response.stream is None else b"".join([part async for part in response.stream])
        return Answer(
            response.status,
            bytes(response.body) + parts,
            {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers},
        )

    async def open(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None, **params: object
    ) -> Response:
        """Return the response of the API, whose stream is not read yet; see `ask`."""
        given = {name.rstrip("_"): value for name, value in params.items() if value is not None}
        query = "?" + urlencode(given, doseq=True, quote_via=quote) if given else ""
        sent = {name.lower().encode(): value.encode("latin-1", "replace") for name, value in (headers or {}).items()}
        if self.request.token and b"x-consul-token" not in sent:
            sent[b"x-consul-token"] = self.request.token.encode("latin-1", "replace")
        data = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        request = Request(method, (escaped(path) + query).encode(), sent, data, self.request.remote)
        request.origin = self.request.origin
        response = self._begin(request)
        if not isinstance(response, Response):
            response = await response
        return response

    async def get(self, path: str, **params: object) -> Any:
        """Return the decoded answer to a GET.  Raises Missing, Refused with the reason of the API."""
        answer = await self.ask("GET", path, None, headers=None, **params)
        if answer.status == 404:
            raise Missing("Not found", answer.text)
        if not answer.ok:
            raise refusal_of(answer)
        return answer.json()

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        failed: str = "That was not carried out",
        headers: Mapping[str, str] | None = None,
        **params: object,
    ) -> Answer:
        """Carry out a request of the API.  failed: title of its refusal.  Raises Refused."""
        if self.config.ui_config.read_only:
            raise Refused(failed, READ_ONLY, "Use the command line, or another agent.", status=403)
        answer = await self.ask(method, path, body, headers=headers, **params)
        if not answer.ok:
            raise refusal_of(answer, failed)
        return answer


def missing_rule(text: str) -> str:
    """Return the rule that is missing, as it is written into a policy, from the text of a refusal; "" if it names none."""
    found = LACKS.search(text)
    if found is None:
        return ""
    kind, level, name = found.groups()
    return str(Rule(kind, name or "", kind in NAMED and not name, LEVELS[level]))


def rule_advice(text: str) -> str:
    """Return what to do about a refusal of the API or of a read."""
    rule = missing_rule(text)
    if not rule:
        return "Log in with a token that has this permission."
    return f"Log in with another token, or add this rule to a policy of the present one: {rule}"


def refusal_of(answer: Answer, title: str = "The agent refused that") -> Refused:
    """Return the error page of an answer of the API, with its reason and what can be done."""
    advice = ""
    if answer.status in (401, 403):
        advice = rule_advice(answer.text)
    elif "leader" in answer.text:
        advice = "The servers are electing a leader, or too many of them are away. Wait a moment and try again."
    return Refused(
        title, answer.text or f"The agent answered with status {answer.status}.", advice, status=answer.status
    )
