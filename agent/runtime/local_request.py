"""Asks this agent's own HTTP API without a connection."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from pyconsul.agent.httpapi.core.app import App
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import Response
from pyconsul.agent.watches.watcher import Ask, Found


def asker(app: App) -> Ask:
    """Return a function that sends a GET of a quoted path with query and token to `app`."""

    async def ask(path: str, query: Mapping[str, str], token: str) -> Found:
        target = path + ("?" + urlencode(query, quote_via=quote) if query else "")
        headers = {b"x-consul-token": token.encode("latin-1", "replace")} if token else {}
        begun = app.begin(Request("GET", target.encode(), headers))
        response = begun if isinstance(begun, Response) else await begun
        index = next((int(text) for name, text in response.headers if name.lower() == b"x-consul-index"), 0)
        return Found(response.status, index, bytes(response.body))

    return ask
