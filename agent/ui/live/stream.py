"""The events of one browser: all its visible pages on one connection, `GET live?page=ADDRESS&seen=VERSION&page=…`.

    event: page     data: {"page": ADDRESS, "version": …, "title": …, "regions": {…}}     a page has changed
    event: reload   data: {"page": ADDRESS}                                                it is another page now
    event: gone     data: {"page": ADDRESS}                                                it is an error now; to a new connection
    event: hello    data: {"assets": VERSION}                                              first; scripts of another version reload

A slow reader gets fewer events: each is made of the newest rendering when the last one has been taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from pyconsul.agent.state.watches import Watches
from pyconsul.agent.ui.live.live_page import LivePage, LivePages, Render
from pyconsul.agent.ui.live.regions import Rendering

KEEPALIVE_S = 15.0
ALIVE = b"event: alive\ndata: {}\n\n"


class Viewed:
    """One page of a browser.  seen: the rendering that it shows, None for one that is not known here."""

    __slots__ = ("address", "page", "render", "seen", "version")

    def __init__(self, address: bytes, version: str, render: Render) -> None:
        self.address, self.version, self.render = address, version, render
        self.page: LivePage | None = None
        self.seen: Rendering | None = None


class EventStream:
    """The events of one browser, for the pages it shows with one token."""

    def __init__(self, pages: LivePages, watches: Watches, token: str, viewed: list[Viewed], assets: str) -> None:
        self._pages, self._watches, self._token, self._viewed, self._assets = pages, watches, token, viewed, assets
        self._changed = asyncio.Event()

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield events until the agent stops or the browser goes away."""
        try:
            yield event("hello", {"assets": self._assets})
            for one in self._viewed:
                one.page = await self._pages.join(one.address, self._token, one.render, self._changed.set)
                if one.page.current.version == one.version:
                    one.seen = one.page.current
            self._changed.set()
            while not self._watches.closed:
                with suppress(TimeoutError):
                    async with asyncio.timeout(KEEPALIVE_S):
                        await self._changed.wait()
                if not self._changed.is_set():
                    yield ALIVE
                    continue
                self._changed.clear()
                for one in self._viewed:
                    if (part := news(one)) is not None:
                        yield part
        finally:
            for one in self._viewed:
                if one.page is not None:
                    self._pages.leave(one.address, self._token, self._changed.set)


def news(one: Viewed) -> bytes | None:
    """Return the event of a page that has changed, None for one that has not."""
    assert one.page is not None
    new, old = one.page.current, one.seen
    if old is not None and old.version == new.version:
        return None
    one.seen = new
    address = one.address.decode("latin-1")
    if old is not None and (old.template != new.template or set(old.regions) != set(new.regions)):
        return event("reload", {"page": address})
    if old is None and new.is_error:  # the browser has opened the page before; it cannot show an error in its regions
        return event("gone", {"page": address})
    regions = one.page.since(old)
    return event("page", {"page": address, "version": new.version, "title": new.title, "regions": regions})


def event(name: str, data: object) -> bytes:
    """Return one server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
