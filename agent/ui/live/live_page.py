"""Pages with viewers: rendered again when their topics change, once for all viewers with the same address and token."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from pyconsul.agent.state.contract import View
from pyconsul.agent.state.watches import Watches
from pyconsul.agent.ui.live.regions import Rendering, difference

#: Renders a page now; never raises.
Render: TypeAlias = Callable[[], Awaitable[Rendering]]

PAUSE_S = 0.05  # after a change, for those that come with it
SHARE = 10  # rendering takes a tenth of the time at most
KEPT = 8  # differences between renderings that are kept for the next viewer

log = logging.getLogger("agent.ui")


class LivePage:
    """A page that is watched.  current: its last rendering; viewers: what is called when there is a new one."""

    def __init__(self, render: Render, watches: Watches, first: Rendering, is_old: bool = False) -> None:
        """is_old: the state has changed since the first rendering was begun."""
        self.current = first
        self.viewers: dict[Callable[[], None], None] = {}
        self._render, self._watches = render, watches
        self._changed = asyncio.Event()
        self._is_old = False
        if is_old:
            self._changed.set()
        self._watched: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._differences: dict[tuple[str, str], dict[str, Any]] = {}
        self._watch()
        self._task = asyncio.get_running_loop().create_task(self._follow())

    @property
    def is_current(self) -> bool:
        """Return whether nothing has changed since the last rendering was begun."""
        return not self._changed.is_set() and not self._is_old

    def since(self, old: Rendering | None) -> dict[str, Any]:
        """Return what a viewer of an older rendering needs."""
        key = (old.version if old is not None else "", self.current.version)
        found = self._differences.get(key)
        if found is None:
            if len(self._differences) >= KEPT:
                self._differences.pop(next(iter(self._differences)))
            found = self._differences[key] = difference(old, self.current)
        return found

    def close(self) -> None:
        """Stop following."""
        self._watches.remove(self._note, *self._watched)
        self._task.cancel()

    def _note(self) -> None:
        self._changed.set()

    def _watch(self) -> None:
        """Follow what the current rendering depends on."""
        self._watches.remove(self._note, *self._watched)
        self._watched = (self.current.topics, self.current.prefixes)
        if not self._watches.closed:
            self._watches.add(self._note, *self._watched)

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        rested_at = 0.0
        while not self._watches.closed:
            try:
                async with asyncio.timeout(self.current.refresh_s or None):
                    await self._changed.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(max(PAUSE_S, rested_at - loop.time()))
            self._changed.clear()
            self._is_old = True  # until it has been rendered
            self._watch()  # a change while the page is rendered makes it old at once
            before = self.current.version
            try:
                self.current = await self._render()
            except Exception:
                log.exception("a page could not be rendered again")
                continue
            finally:
                rested_at = loop.time() + SHARE * self.current.took_s
            self._is_old = False
            self._watch()
            if self.current.version != before:
                for viewer in list(self.viewers):
                    viewer()


class LivePages:
    """The pages with viewers, by address and token."""

    def __init__(self, watches: Watches, view: View) -> None:
        self._watches, self._view = watches, view
        self._pages: dict[tuple[bytes, str], LivePage] = {}

    def find(self, address: bytes, token: str) -> Rendering | None:
        """Return the rendering of a page that is watched, if nothing has changed since."""
        page = self._pages.get((address, token))
        return page.current if page is not None and page.is_current and not page.current.refresh_s else None

    async def join(self, address: bytes, token: str, render: Render, viewer: Callable[[], None]) -> LivePage:
        """Return the page of an address, which calls `viewer` after each change until `leave`."""
        key = (address, token)
        page = self._pages.get(key)
        if page is None:
            index = self._view.index
            first = await render()
            page = self._pages.get(key) or LivePage(render, self._watches, first, self._view.index != index)
            self._pages[key] = page
        page.viewers[viewer] = None
        return page

    def leave(self, address: bytes, token: str, viewer: Callable[[], None]) -> None:
        """Stop calling a viewer; a page without viewers is forgotten."""
        page = self._pages.get((address, token))
        if page is not None:
            page.viewers.pop(viewer, None)
            if not page.viewers:
                page.close()
                del self._pages[address, token]
