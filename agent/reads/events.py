"""Reads of user events."""

from __future__ import annotations

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.events.event_log import TOPIC, EventLog
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.reads.visibility import visible


def recent(events: EventLog, caller: Authorizer, name: str = "") -> Result:
    """Read the remembered events, of one name if it is given; the index is that of all, hidden ones included."""
    rows, filtered = visible(caller, events.recent(name), lambda event: caller.level("event", event.name) >= READ)
    return Result(rows, events.index(name), (TOPIC,), filtered=filtered)
