"""The log of user events that concern this agent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from operator import attrgetter
from typing import TypeAlias

from pyconsul.agent.events.user_event import index_of
from pyconsul.agent.model.event import UserEvent
from pyconsul.agent.state.watches import Watches

MAX_EVENTS = 256  # older ones are dropped
TOPIC = "events"

#: Calls a function at the end of the present turn of the event loop.
Defer: TypeAlias = Callable[[Callable[[], None]], object]


class EventLog:
    """The last events that concern an agent, in the order of their arrival.  Readers wait on `watches` for TOPIC.

    Events that arrive in one turn of the event loop are ordered by their Lamport times: gossip packs the newest first, so that
    those which an agent fires shortly after each other arrive the wrong way round (own choice; Consul leaves them so).
    """

    def __init__(self, watches: Watches, defer: Defer = lambda publish: publish()) -> None:
        self.watches = watches
        self._defer = defer
        self._recent: deque[UserEvent] = deque(maxlen=MAX_EVENTS)
        self._arrived: list[UserEvent] = []

    def add(self, event: UserEvent) -> None:
        """Remember an event; readers wake at the end of the turn."""
        self._arrived.append(event)
        if len(self._arrived) == 1:
            self._defer(self._publish)

    def recent(self, name: str = "") -> list[UserEvent]:
        """Return the remembered events, of one name if it is given."""
        self._take_in()
        return [event for event in self._recent if not name or event.name == name]

    def index(self, name: str = "") -> int:
        """Return the index of the remembered events, of one name if it is given."""
        return index_of(self.recent(name))

    def _take_in(self) -> None:
        self._recent.extend(sorted(self._arrived, key=attrgetter("ltime")))
        self._arrived.clear()

    def _publish(self) -> None:
        self._take_in()
        self.watches.fire((TOPIC,))
