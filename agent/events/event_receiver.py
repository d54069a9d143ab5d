"""Takes user events from gossip: those of Consul's kind that concern this agent go into its log, in the order of arrival.

Gossip delivers each event once.  Every agent applies the filters for itself, to its own name and services.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from pyconsul.agent.events.event_log import EventLog
from pyconsul.agent.events.user_event import PREFIX, concerns, unpacked
from pyconsul.agent.gossip.membership import PoolEvent
from pyconsul.agent.gossip.serf.effects import UserEventReceived
from pyconsul.agent.model.service import NodeService

log = logging.getLogger("agent.events")


class EventReceiver:
    """A listener of the LAN pool; `services` returns those that this agent holds now."""

    def __init__(self, events: EventLog, node: str, services: Callable[[], Iterable[NodeService]]) -> None:
        self._events, self._node, self._services = events, node, services
        self._invalid = 0

    def receive(self, received: PoolEvent) -> None:
        """Take an event of the pool; others than user events of Consul's kind are ignored."""
        if not isinstance(received, UserEventReceived) or not received.name.startswith(PREFIX):
            return
        try:
            event = unpacked(received.payload, received.time)
            if not concerns(event, self._node, self._services()):
                return
        except ValueError as error:
            self._note_invalid(received.name, error)
            return
        log.debug("new event: name=%s id=%s", event.name, event.id)
        self._events.add(event)

    def _note_invalid(self, name: str, error: ValueError) -> None:
        """Log the first invalid event, and every tenfold of it."""
        self._invalid += 1
        if str(self._invalid).strip("0") == "1":
            log.warning("ignored user event from gossip: name=%r count=%d: %s", name, self._invalid, error)
