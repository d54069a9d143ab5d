"""Firing user events: it requires the permission for the event's name."""

from __future__ import annotations

import pytest
from support.scripted_pool import ScriptedPool

from pyconsul.agent.acl.authorizer import Authorizer, CompiledPolicies, PermissionDenied
from pyconsul.agent.acl.rules import WRITE, Rule
from pyconsul.agent.events.user_event import PREFIX, fire, packed
from pyconsul.agent.model.event import UserEvent

DEPLOY = UserEvent("733c8f8a-97bb-be36-2cd2-43de223a9fe8", "deploy", b"v1", "", "", "", 1, 0)


@pytest.mark.parametrize(("writable", "sent"), [("deploy", [(PREFIX + "deploy", packed(DEPLOY))]), ("other", [])])
def test_an_event_is_sent_with_permission_for_its_name_only(writable: str, sent: list[tuple[str, bytes]]) -> None:
    pool = ScriptedPool()
    caller = Authorizer("test", CompiledPolicies([Rule("event", writable, False, WRITE)]), default_allow=False)
    if sent:
        fire(pool, caller, DEPLOY)
    else:
        with pytest.raises(PermissionDenied, match=r"^Permission denied$"):
            fire(pool, caller, DEPLOY)
    assert pool.fired == sent
