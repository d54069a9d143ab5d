"""The routes of the web interface.  Its pages, and the template engine, are imported when the first page is asked for."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.rendering import root_of
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import TEXT, Response
from pyconsul.agent.httpapi.core.router import Local, Read, Route, Write
from pyconsul.agent.httpapi.server.contract import BodyRule

log = logging.getLogger("agent.ui")

if TYPE_CHECKING:
    from pyconsul.agent.ui.site import Site

ROBOTS = b"# http://www.robotstxt.org\nUser-agent: *\nDisallow: /\n"
FORM_BYTES = 2 << 20  # beside a value of the largest size, of which each byte may be escaped
#: Answers a request of the HTTP API; never raises.
Begin: TypeAlias = Callable[[Request], Response | Awaitable[Response]]


class Pages:
    """The pages as the application sees them; implements `PageHooks`.

    connect: to be called before the first request.
    """

    def __init__(self, config: Config) -> None:
        self.content_path = root_of(config.ui_config)
        self._datacenter = config.datacenter
        self._context: Context | None = None
        self._begin: Begin | None = None
        self._site: Site | None = None

    def connect(self, context: Context, begin: Begin) -> None:
        """Show the state of an agent, and use its application for the requests of pages."""
        self._context, self._begin = context, begin

    @property
    def routes(self) -> tuple[Route, ...]:
        """Return the routes: the agent's own pages stand below `agent`, all others come from a server."""
        root = self.content_path
        own = f"{root}{self._datacenter}/agent"
        everywhere = {"GET": Read(self._show, "open"), "POST": Write(self._act, "open")}
        local = {"GET": Local(self._show, "open"), "POST": Local(self._act, "open")}
        heads = {"HEAD": Read(self._show, "open")}
        rule = _body_rule
        return (
            Route(root, {**everywhere, **heads}, pages=self, ignores_dc=True, body_rule=rule, patient=False),
            Route(own, local, pages=self, ignores_dc=True, body_rule=rule),
            Route(own + "/", local, pages=self, ignores_dc=True, body_rule=rule),
            Route(root + "static/", {"GET": Local(self._asset, "open")}, pages=self, ignores_dc=True),
            Route(root + "robots.txt", {"GET": Local(_robots, "open")}, pages=self, ignores_dc=True),
            Route("/robots.txt", {"GET": Local(_robots, "open")}, pages=self, ignores_dc=True),
        )

    # Implements PageHooks

    def token(self, request: Request) -> str:
        """Return the token of a browser's cookie."""
        from pyconsul.agent.ui import browser

        return browser.token_of(request)

    @property
    def passed_headers(self) -> tuple[bytes, ...]:
        """Return the headers that a server needs when it shows a page for another agent."""
        from pyconsul.agent.ui import browser

        return browser.PASSED

    def failure(self, request: Request, response: Response) -> Response:
        """Return the page for a response of the application that is an error; that response where no page can be made."""
        try:
            return self._open().failure(request, response)
        except Exception:
            log.exception("the page of an error could not be shown")
            return response

    # Handlers

    def _open(self) -> Site:
        if self._site is None:
            from pyconsul.agent.ui.site import Site

            assert self._context is not None, "the pages are not connected"
            assert self._begin is not None
            self._site = Site(self._context, self._begin)
        return self._site

    def _show(self, context: Context, request: Request) -> Response | Awaitable[Response]:
        return self._open().show(request)

    def _act(self, context: Context, request: Request) -> Awaitable[Response]:
        return self._open().act(request)

    def _asset(self, context: Context, request: Request) -> Response:
        return self._open().asset(request.tail, request)


def _robots(context: Context, request: Request) -> Response:
    return Response(200, ROBOTS, TEXT)


def _body_rule(context: Context, request: Request) -> BodyRule:
    limit = FORM_BYTES + 3 * context.config.limits.kv_max_value_size
    return BodyRule(limit, too_large="This form is too large: it has {size} bytes, and at most {limit} are allowed")
