"""The site: from a browser's request to its page or action, and a response that browsers may keep, show and trust.

After an action the browser is sent on with status 303; what was done stands on the next page, carried by the cookie TOLD.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from pyconsul.agent.acl.authorizer import Forbidden, UnknownToken
from pyconsul.agent.httpapi.core.authorization import resolved_later
from pyconsul.agent.httpapi.core.context import Context, StreamBudget
from pyconsul.agent.httpapi.core.rendering import root_of
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import TEXT
from pyconsul.agent.httpapi.server.contract import EVENTS, Headers, Response
from pyconsul.agent.state.topics import ACL
from pyconsul.agent.ui import browser
from pyconsul.agent.ui.contract import Download, Missing, Outcome, Page, PageError, PageRoute, Refused
from pyconsul.agent.ui.forms import form_of, resendable
from pyconsul.agent.ui.frame import Frame
from pyconsul.agent.ui.kept import Kept
from pyconsul.agent.ui.links import Links
from pyconsul.agent.ui.live.live_page import LivePages
from pyconsul.agent.ui.live.regions import ERROR, Rendering
from pyconsul.agent.ui.live.stream import EventStream, Viewed
from pyconsul.agent.ui.pages.index import PAGES
from pyconsul.agent.ui.rendering import Renderer
from pyconsul.agent.ui.visit import READ_ONLY, Begin, Visit, missing_rule, rule_advice

HTML: Headers = ((b"Content-Type", b"text/html; charset=utf-8"), *browser.SAFE)
EVENT_STREAM: Headers = (EVENTS, (b"Cache-Control", b"no-store"), (b"X-Accel-Buffering", b"no"))
TOLD = "pyconsul_told"  # cookie: what the last action did
TOLD_CHARACTERS = 1500
MOST_VIEWED = 50  # pages of one browser
LOG_IN = "Log in with another token."
EXPIRED_S = 0.5  # after its end, a token is expired for all clocks

log = logging.getLogger("agent.ui")


class Site:
    """The pages of one agent.  begin: answers requests of the HTTP API."""

    def __init__(self, context: Context, begin: Begin) -> None:
        self._context, self._begin = context, begin
        self._links = Links(root_of(context.config.ui_config), context.config.datacenter)
        self._frame, self._renderer = Frame(), Renderer()
        self._live, self._kept = LivePages(context.watches, context.view), Kept()

    # Requests

    def show(self, request: Request) -> Response | Awaitable[Response]:
        """Return the response to a GET."""
        path = self._path(request)
        if path == "live":
            return self._stream(request)
        kept = self._live.find(request.target, request.token) if not browser.cookies(request).get(TOLD) else None
        if kept is not None:
            return self._page_response(kept, request)
        return self._show(request, path)

    async def _show(self, request: Request, path: str) -> Response:
        visit = self._visit(request)
        try:
            route = self._locate(visit, path)
            download = route.downloads.get(visit.params.get("download", ""))
            if download is not None:
                return _download(await download(visit))
            if route.stream is not None:
                return Response(200, b"", EVENT_STREAM, await route.stream(visit))
        except (PageError, Forbidden) as error:
            return self._page_response(self._error(error, visit), request)
        return self._page_response(await self._render(request), request)

    async def act(self, request: Request) -> Response:
        """Return the response to a POST: the form of a page; anything else is answered as a GET."""
        visit = self._visit(request)
        try:
            visit.form = form_of(request)
            route = self._locate(visit, self._path(request))
            action = route.actions.get(visit.form.get("do", ""))
            if action is None:
                return await self._show(request, self._path(request))
            browser.require_own_form(request, visit.form.get("form", ""))
            if self._context.config.ui_config.read_only and not action.harmless:
                raise Refused("That was not carried out", READ_ONLY, status=403)
            outcome = await action.perform(visit)
            if isinstance(outcome, Page):
                shown = self._renderer.render(outcome, visit, self._variables(visit, outcome))
                return self._page_response(shown, request)
            if isinstance(outcome, Download):
                return _download(outcome)
        except (PageError, Forbidden) as error:
            return self._page_response(await self._again(visit, error), request)
        except Exception as error:
            log.exception("an action of a page failed")
            return self._page_response(self._error(error, visit), request)
        return self._outcome(visit, outcome)

    async def _again(self, visit: Visit, error: PageError | Forbidden) -> Rendering:
        """Return the page of a form once more, with what was typed and the reason of the refusal."""
        if not isinstance(error, Refused):
            return self._error(error, visit)
        try:
            route = self._locate(visit, self._path(visit.request))
            return await self._page(visit, route, visit.form.get("do", ""), error)
        except Exception as failure:
            if not isinstance(failure, PageError | Forbidden):
                log.exception("a page could not be shown again")
            return self._error(error, visit)

    def _outcome(self, visit: Visit, outcome: Outcome) -> Response:
        request, root = visit.request, self._links.root
        headers: list[tuple[bytes, bytes]] = []
        if outcome.login is not None:
            headers.append(browser.set_cookie(request, root, browser.TOKEN, outcome.login))
        if outcome.secret:
            page = Page("outcome.html", "Done", "", {"outcome": outcome, "back": outcome.location or visit.links.to()})
            rendering = self._renderer.render(page, visit, self._variables(visit, page))
            response = self._page_response(rendering, request)
            return Response(200, response.body, (*response.headers, *headers))
        location = outcome.location or _without_question(request)
        if not outcome.text:
            return Response(303, b"", ((b"Location", location.encode()), (b"Cache-Control", b"no-store"), *headers))
        told = {"text": outcome.text[:TOLD_CHARACTERS], "failures": [text[:300] for text in outcome.failures[:5]]}
        headers.append(browser.set_cookie(request, root, TOLD, msgspec.json.encode(told).decode()))
        return Response(303, b"", ((b"Location", location.encode()), (b"Cache-Control", b"no-store"), *headers))

    # Pages

    async def _render(self, request: Request) -> Rendering:
        """Render the page of a GET; never raises."""
        visit = self._visit(request)
        with suppress(UnknownToken):
            await resolved_later(self._context, request)
        if self._context.acl is not None:
            visit.depend((ACL,))  # a token whose rules have changed, or that is deleted, sees another page
        try:
            route = self._locate(visit, self._path(request))
            return await self._page(visit, route, visit.params.get("do", ""), None)
        except Exception as error:
            if not isinstance(error, PageError | Forbidden):
                log.exception("a page could not be shown")
            return self._error(error, visit)

    async def _page(self, visit: Visit, route: PageRoute, do: str, refused: Refused | None) -> Rendering:
        action, took_s = route.actions.get(do), 0.0
        if action is not None and action.ask is not None:
            question: Any = action.ask(visit)
            if inspect.isawaitable(question):
                question = await question
            data = {"question": question, "do": do, "back": _without_question(visit.request)}
            page = Page("question.html", question.title, "", data, status=refused.status if refused else 200)
        else:
            began = time.perf_counter()
            shown: Any = route.show(visit)
            took_s = time.perf_counter() - began  # nothing for a page that waits for other agents
            page = await shown if inspect.isawaitable(shown) else shown
            if refused is not None:
                page = replace(page, status=refused.status)
        page = replace(page, refresh_s=self._refresh_s(visit, page.refresh_s))
        rendering = self._renderer.render(page, visit, self._variables(visit, page, refused))
        return replace(rendering, took_s=rendering.took_s + took_s)

    def _refresh_s(self, visit: Visit, refresh_s: float) -> float:
        """Return when to show a page again: at the latest when the token of its caller expires, or is to be asked for again."""
        acl = self._context.acl
        expires = acl.expires(visit.request.token) if acl is not None else None
        if expires is None:
            return refresh_s
        left_s = max(expires - visit.now, 0.0) + EXPIRED_S
        return min(refresh_s, left_s) if refresh_s else left_s

    def _variables(self, visit: Visit, page: Page, refused: Refused | None = None) -> dict[str, Any]:
        own = {"refused": refused, "told": _told(visit.request), "current": _current(visit)}
        return {**self._frame.variables(visit, page.section), **own}

    def _error(self, error: Exception, visit: Visit) -> Rendering:
        """Return the page of an error."""
        if isinstance(error, UnknownToken):
            shown: PageError = Refused("This token is not known", str(error), LOG_IN, status=403)
        elif isinstance(error, Forbidden):
            shown = Refused("You may not see this", str(error), rule_advice(str(error)), status=403)
        elif isinstance(error, PageError):
            shown = error
        else:
            shown = PageError("This page could not be shown", "The log of the agent says more.", "Try again later.")
        data = {"error": shown, "rule": missing_rule(shown.reason), "resend": resendable(visit.request)}
        page = Page(ERROR, shown.title, "", data, status=shown.status)
        return self._renderer.render(page, visit, self._variables(visit, page))

    def failure(self, request: Request, response: Response) -> Response:
        """Return the page for a request that the application has refused, such as one without a leader."""
        text = response.body.decode("utf-8", "replace").strip()
        lost = "leader" in text or "servers" in text
        has_last = "leader" in text and request.method == "GET"  # without any server nothing is known
        advice = "Try again, or look into the log of the agent."
        if response.status == 413:
            advice = "Go back and make it smaller; write large values with pyconsul kv put KEY @FILE."
        if lost:
            advice = "The servers are electing a leader, or too many of them are away. Try again in a moment"
            advice += "; what this server knew last can be shown, too." if has_last else "."
        error = Refused(text or f"Status {response.status}", "", advice, status=response.status)
        visit = self._visit(request)
        data = {
            "error": error,
            "stale": has_last,
            "resend": resendable(request),
            "unchecked": lost and bool(browser.cookies(request).get(browser.TOKEN)),  # the token could not be looked up
        }
        page = Page(ERROR, error.title, "", data, status=response.status)
        return self._page_response(self._renderer.render(page, visit, self._variables(visit, page)), request)

    # Parts

    def _visit(self, request: Request) -> Visit:
        return Visit(self._context, request, self._links, self._begin, self._kept)

    def _path(self, request: Request) -> str:
        """Return the address below the content path, still escaped."""
        return request.target.partition(b"?")[0].decode("latin-1").removeprefix(self._links.root)

    def _locate(self, visit: Visit, path: str) -> PageRoute:
        """Return the route of a page.  Raises Missing."""
        datacenter, _, rest = path.partition("/")
        if datacenter not in ("", quote(self._links.datacenter, safe="")):
            raise Missing(
                f'Unknown page or datacenter "{datacenter}"',
                f'The datacenter of this agent is "{self._links.datacenter}".',
                "Choose a page on the left.",
            )
        for route in PAGES:
            names = route.match(rest.rstrip("/") if not rest.startswith("kv/") else rest)
            if names is not None:
                visit.names, visit.local = names, route.local
                return route
        raise Missing(f'Page "{rest}" does not exist', "", "Choose a page on the left, or search with Ctrl-K.")

    def _page_response(self, rendering: Rendering, request: Request) -> Response:
        """Return a rendering as this browser gets it."""
        headers = HTML
        cookie = browser.form_cookie(request)
        if not cookie:
            cookie = browser.new_form_cookie()
            headers = (*headers, browser.set_cookie(request, self._links.root, browser.FORM, cookie))
        if browser.cookies(request).get(TOLD):
            headers = (*headers, browser.set_cookie(request, self._links.root, TOLD, ""))
        body = rendering.html.replace(browser.PLACEHOLDER, browser.form_field(cookie).encode())
        return Response(rendering.status, body, headers)

    async def _stream(self, request: Request) -> Response:
        """Return the events of a browser's pages."""
        addresses, versions = request.multi("page"), request.multi("seen")
        if not 0 < len(addresses) <= MOST_VIEWED or len(addresses) != len(versions):
            return Response(400, b"1 to 50 pages, each with `seen`\n", TEXT)
        budget = self._context.stream_budget
        if budget.used + len(addresses) > budget.limit:
            return Response(429, b"more than %d pages and queries are watched\n" % budget.limit, TEXT)
        # All browsers with this token share one rendering: their other cookies are left out.
        token = {b"x-consul-token": request.token.encode("latin-1", "replace")} if request.token else {}
        viewed: list[Viewed] = []
        for address, version in zip(addresses, versions, strict=True):
            target = address.encode("latin-1", "replace")
            one = Request("GET", target, token, b"", request.remote)
            one.origin, one.route = request.origin, request.route
            viewed.append(Viewed(target, version, partial(self._render, one)))
        stream = EventStream(self._live, self._context.watches, request.token, viewed, self._renderer.version)
        return Response(200, b"", EVENT_STREAM, _counted(stream, len(viewed), self._context.stream_budget))

    def asset(self, name: str, request: Request) -> Response:
        """Return a style sheet or script, which browsers may keep for ever: its address names its version."""
        found = self._renderer.assets.get(name.rpartition("/")[2])
        if found is None:
            return Response(404, b"no such file\n", ((b"Content-Type", b"text/plain"),))
        kind, text = found
        return Response(
            200,
            text,
            (
                (b"Content-Type", kind),
                (b"Cache-Control", b"public, max-age=31536000, immutable"),
                (b"X-Content-Type-Options", b"nosniff"),
            ),
        )


async def _counted(stream: EventStream, count: int, budget: StreamBudget) -> AsyncIterator[bytes]:
    """Yield the events of a stream, which counts in the budget of all streams meanwhile."""
    budget.take(count)
    try:
        async for part in stream.parts():
            yield part
    finally:
        budget.give_back(count)


def _without_question(request: Request) -> str:
    """Return the address of a page without `?do` and `?on`, the action and what it is about."""
    address = urlsplit(request.target.decode("latin-1"))
    kept = "&".join(part for part in address.query.split("&") if part and not part.startswith(("do=", "on=")))
    return address.path + ("?" + kept if kept else "")


def _current(visit: Visit) -> str:
    """Return the address of the current state for a page that shows what a server knew last, "" for other pages."""
    if "stale" not in visit.params or visit.local:
        return ""
    address = urlsplit(visit.request.target.decode("latin-1"))
    kept = "&".join(part for part in address.query.split("&") if part.partition("=")[0] != "stale")
    return address.path + ("?" + kept if kept else "")


def _told(request: Request) -> dict[str, Any] | None:
    """Return what the last action did, for the first page after it."""
    text = browser.cookies(request).get(TOLD)
    if not text:
        return None
    try:
        told = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return told if isinstance(told, dict) else None


def _download(file: Download) -> Response:
    name = quote(file.name)
    return Response(
        200,
        file.body,
        (
            (b"Content-Type", file.content_type.encode()),
            (b"Content-Disposition", f"attachment; filename*=UTF-8''{name}".encode()),
            *browser.SAFE,
        ),
    )
