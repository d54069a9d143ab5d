"""What HAProxy's answers to commands mean."""

from __future__ import annotations

import pytest

from pyconsul.tools.template.haproxy.runtime_api import has_worked


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("add server b/a 1.2.3.4:80", "New server registered."),
        ("set server b/a addr 1.2.3.4 port 80", "no need to change the addr, port changed from '1' to '80' by 'x'"),
        ("set server b/a addr 1.2.3.4 port 80", "IP changed from '1.2.3.3' to '1.2.3.4', no need to change the port"),
        ("set server b/a addr 1.2.3.4 port 80", "no need to change the addr, no need to change the port by 'x'"),
        ("set server b/a weight 5", ""),
        ("set server b/a state maint", ""),
        ("set maxconn server b/a 5", ""),
        ("enable health b/a", ""),
        ("del server b/a", "Server deleted."),
        ("del server b/a", "No such server."),
    ],
)
def test_good_answers(command: str, answer: str) -> None:
    assert has_worked(command, answer)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("add server b/a 1.2.3.4:80", "Already exists a server with the same name in backend."),
        ("add server b/a 1.2.3.4:80 cookie x", "'cookie' option is not accepted for dynamic server"),
        ("add server b/a 1.2.3.4:80", ""),
        ("set server b/a addr 1.2.3.4 port 80", "Invalid addr '1.2.3.4' by 'stats socket command'"),
        ("set server b/a addr 1.2.3.4 port 80", ""),
        ("set server b/a weight 5", "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'."),
        ("set server b/a state maint", "No such server."),
        ("enable health b/a", "Health check was not configured on this server, cannot enable."),
        ("del server b/a", "Server still has connections attached to it, cannot remove it."),
        ("set server b/a weight 5", "Can't find the target PID matching the prefix '@1'"),
    ],
)
def test_bad_answers(command: str, answer: str) -> None:
    assert not has_worked(command, answer)
