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
    clock: returns Unix seconds.
    """

    def __init__(
        self,
        watches: Watches,
        defer: Defer = lambda publish: publish(),
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.watches = watches
        self._defer, self._clock = defer, clock
        self._times: dict[str, float] = {}
        self._recent: deque[UserEvent] = deque(maxlen=MAX_EVENTS)
        self._arrived: list[UserEvent] = []

    def add(self, event: UserEvent) -> None:
        """Remember an event; readers wake at the end of the turn."""
        self._arrived.append(event)
        self._times[event.id] = self._clock()
        if len(self._arrived) == 1:
            self._defer(self._publish)

    def recent(self, name: str = "") -> list[UserEvent]:
        """Return the remembered events, of one name if it is given."""
        self._take_in()
        return [event for event in self._recent if not name or event.name == name]

    def index(self, name: str = "") -> int:
        """Return the index of the remembered events, of one name if it is given."""
        return index_of(self.recent(name))

    def received(self, event_id: str) -> float:
        """Return when a remembered event arrived, by the clock of the log; 0 for one that is not remembered."""
        return self._times.get(event_id, 0.0)

    def _take_in(self) -> None:
        self._recent.extend(sorted(self._arrived, key=attrgetter("ltime")))
        self._arrived.clear()
        if len(self._times) > 2 * MAX_EVENTS:
            self._times = {event.id: self._times.get(event.id, 0.0) for event in self._recent}

    def _publish(self) -> None:
        self._take_in()
        self.watches.fire((TOPIC,))
