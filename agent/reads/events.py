"""Reads of user events, and of the timeline."""

from __future__ import annotations

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.events.event_log import TOPIC, EventLog
from pyconsul.agent.events.timeline import Change, Timeline
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.reads.visibility import sees_check, sees_instance, visible
from pyconsul.agent.state.contract import View


def recent(events: EventLog, caller: Authorizer, name: str = "") -> Result:
    """Read the remembered events, of one name if it is given; the index is that of all, hidden ones included."""
    rows, filtered = visible(caller, events.recent(name), lambda event: caller.level("event", event.name) >= READ)
    return Result(rows, events.index(name), (TOPIC,), filtered=filtered)


def changes(view: View, timeline: Timeline, caller: Authorizer) -> Result:
    """Read the changes of the last hour that the caller may see, the latest first."""

    def sees(change: Change) -> bool:
        if change.kind == "node":
            return caller.level("node", change.node) >= READ
        if change.kind == "service":
            return sees_instance(caller, change.node, change.service)
        return sees_check(caller, change.node, change.service)

    rows, filtered = visible(caller, list(timeline.latest()), sees)
    depends = ("nodes", "services", "checks")
    return Result(rows, view.index_of(*depends), depends, filtered=filtered)
