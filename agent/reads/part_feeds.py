"""Feeds: the changes of a part of the catalog, as lines of JSON, made once for all agents that hold it.

A feed reads the state when its readers ask for news, not at every commit.  It keeps the last lines; a reader that is further
behind gets all rows again, so a slow reader costs no memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.reads.parts import part_change, part_rows, part_topics, whole_part
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.watches import Watches

KEPT_BYTES = 256 << 10  # of the lines of one feed
NOTHING = -1  # position of a reader that has nothing yet

_encode = msgspec.json.Encoder().encode


class PartFeed:
    """The changes of one part, for callers with the same permissions.

    position: the number of lines so far.
    """

    def __init__(self, view: View, watches: Watches, caller: Authorizer, kind: str, name: str) -> None:
        self._view, self._watches, self._caller, self._kind, self._name = view, watches, caller, kind, name
        self._topics = part_topics(kind, name)
        self._rows = part_rows(view, caller, kind, name)
        self._is_stale = False
        self._lines: deque[bytes] = deque()
        self._kept_bytes = 0
        self._whole = b""  # line with all rows, while it is up to date
        self._listeners: dict[Callable[[], None], None] = {}
        self.position = 0
        watches.add(self._wake, self._topics)

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call a listener whenever there may be news."""
        self._listeners[listener] = None

    def unsubscribe(self, listener: Callable[[], None]) -> bool:
        """Call a listener no more; return whether none is left."""
        self._listeners.pop(listener, None)
        return not self._listeners

    def read(self, position: int) -> tuple[bytes, int]:
        """Return the lines behind a position, b"" if there are none, and the position after them."""
        if self._is_stale:
            self._refresh()
        behind = self.position - position
        if behind == 0:
            return b"", position
        if position == NOTHING or behind > len(self._lines):
            self._whole = self._whole or _line(whole_part(self._rows))
            return self._whole, self.position
        return b"".join(list(self._lines)[-behind:]), self.position

    def close(self) -> None:
        """Follow the state no longer."""
        self._watches.remove(self._wake, self._topics)

    def _wake(self) -> None:
        self._is_stale = True
        if not self._watches.closed:
            self._watches.add(self._wake, self._topics)
        for listener in list(self._listeners):
            listener()

    def _refresh(self) -> None:
        self._is_stale = False
        rows = part_rows(self._view, self._caller, self._kind, self._name)
        change = part_change(self._rows, rows)
        if change is None:
            return
        self._rows, self._whole = rows, b""
        line = _line(change)
        self._lines.append(line)
        self._kept_bytes += len(line)
        self.position += 1
        while self._kept_bytes > KEPT_BYTES:
            self._kept_bytes -= len(self._lines.popleft())


class PartFeeds:
    """The feeds of one server; each ends with its last reader."""

    def __init__(self, view: View, watches: Watches) -> None:
        self._view, self._watches = view, watches
        self._feeds: dict[Hashable, PartFeed] = {}

    def open(self, caller: Authorizer, kind: str, name: str, listener: Callable[[], None]) -> PartFeed:
        """Return the feed of a part, and call a listener whenever it may have news."""
        key = _key(caller, kind, name)
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = PartFeed(self._view, self._watches, caller, kind, name)
        feed.subscribe(listener)
        return feed

    def close(self, caller: Authorizer, kind: str, name: str, listener: Callable[[], None]) -> None:
        """End what `open` began."""
        key = _key(caller, kind, name)
        feed = self._feeds.get(key)
        if feed is not None and feed.unsubscribe(listener):
            feed.close()
            del self._feeds[key]

    def __len__(self) -> int:
        return len(self._feeds)


def _key(caller: Authorizer, kind: str, name: str) -> Hashable:
    return kind, name, None if caller.everything else caller.rights


def _line(change: object) -> bytes:
    return _encode(change) + b"\n"
