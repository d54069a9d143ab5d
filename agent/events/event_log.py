"""The log of user events that concern this agent."""

from __future__ import annotations

from collections import deque

from pyconsul.agent.model.event import UserEvent
from pyconsul.agent.state.watches import Watches

MAX_EVENTS = 256  # older ones are dropped
TOPIC = "events"


class EventLog:
    """The last events that concern an agent, oldest first.  Readers wait on `watches` for TOPIC."""

    def __init__(self, watches: Watches) -> None:
        self.watches = watches
        self._recent: deque[UserEvent] = deque(maxlen=MAX_EVENTS)

    def add(self, event: UserEvent) -> None:
        """Remember an event."""
        self._recent.append(event)
        self.watches.fire((TOPIC,))

    def recent(self, name: str = "") -> list[UserEvent]:
        """The remembered events, of one name if it is given."""
        return [event for event in self._recent if not name or event.name == name]
