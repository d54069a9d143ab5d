"""Requests whose headers may change the response never get one that is kept by target and token alone."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.admission import BROWSER_HEADERS
from pyconsul.agent.httpapi.server.reader import FLAGS, SPECIAL


def test_headers_of_browsers_are_special() -> None:
    for name in (*BROWSER_HEADERS, b"authorization", b"accept-encoding", b"content-length", b"transfer-encoding"):
        assert FLAGS[name] & SPECIAL
