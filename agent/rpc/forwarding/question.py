"""A read that several clients may ask: the same target, token and consistency, without the index and time of a wait."""

from __future__ import annotations

from typing import NamedTuple

from pyconsul.agent.httpapi.core.consistency.freshness import without
from pyconsul.agent.httpapi.server.contract import HTTPRequest, Response

WAIT = ("index", "wait")
LONGEST_WAIT_S = 600
KEPT = (200, 404)  # statuses of responses whose next version can be waited for


class Question(NamedTuple):
    """A read, as it is sent to servers.  token: of its caller, from wherever it comes."""

    request: HTTPRequest
    token: str

    @property
    def key(self) -> tuple[bytes, str]:
        """Return what identical questions have in common."""
        return self.request.target, self.token

    def plain(self) -> HTTPRequest:
        """Return the request for the present response."""
        return self._with_target(self.request.target)

    def after(self, index: int, seconds: float = LONGEST_WAIT_S) -> HTTPRequest:
        """Return the request that waits for a response with a higher index."""
        target = self.request.target
        added = b"index=%d&wait=%dms" % (index, max(1, round(seconds * 1000)))
        return self._with_target(target + (b"&" if b"?" in target else b"?") + added)

    def current(self) -> HTTPRequest:
        """Return the request for a response that is not older than the last write."""
        return self._with_target(without(self.request.target, ("stale", "max_stale")))

    def _with_target(self, target: bytes) -> HTTPRequest:
        return HTTPRequest("GET", target, self.request.headers, b"", self.request.remote)


def question_of(request: HTTPRequest, token: str) -> Question:
    """Return the question of a request."""
    target = without(request.target, WAIT)
    return Question(HTTPRequest("GET", target, request.headers, b"", request.remote), token)


def index_of(response: Response) -> int:
    """Return the index of a response; 0 for none, or for an error."""
    if response.status not in KEPT:
        return 0
    return next((int(value) for name, value in response.headers if name == b"X-Consul-Index"), 0)
