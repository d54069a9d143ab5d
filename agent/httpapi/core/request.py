"""A request as handlers see it, and the parameters that every endpoint knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from pyconsul.agent.acl.authorizer import Authorizer, Forbidden, UnknownToken
from pyconsul.agent.common.go.durations import parse_go_duration_s
from pyconsul.agent.httpapi.core.response import HTTPError, bad_request, server_error
from pyconsul.agent.httpapi.server.contract import HTTPRequest
from pyconsul.agent.model.acl import ANONYMOUS_SECRET

DIGITS = 20  # of the largest number of 64 bits


class Request(HTTPRequest):
    """One request.  `target` is the path and query as sent; `tail` is what follows the route's pattern, decoded.

    origin: node name of the agent that has forwarded the request, "" if it comes from a client.
    waited_s: seconds that it has waited for a leader before it is forwarded.
    """

    __slots__ = ("_caller", "_params", "_refusal", "_token", "origin", "path", "query", "route", "tail", "waited_s")

    def __init__(
        self, method: str, target: bytes, headers: Mapping[bytes, bytes], body: bytes = b"", remote: str = ""
    ) -> None:
        # Not super().__init__(…): this runs for each request.
        self.method, self.target, self.headers, self.body, self.remote = method, target, headers, body, remote
        self.stream = None
        raw_path, _, self.query = target.partition(b"?")
        self.path = unquote(raw_path.decode("latin-1")) if b"%" in raw_path else raw_path.decode("utf-8", "replace")
        self.tail = self.origin = ""
        self.waited_s = 0.0
        self.route: Any = None  # the route of the path
        self._params: dict[str, str] | None = None
        self._token: str | None = None
        self._caller: Authorizer | None = None
        self._refusal: Forbidden | None = None

    @property
    def caller(self) -> Authorizer:
        """Return the permissions of the caller, which the application resolved before the handler ran.  Raises UnknownToken."""
        caller = self._caller
        if caller is None:
            raise self._refusal or UnknownToken()
        return caller

    def retarget(self, target: bytes) -> None:
        """Use another query from now on."""
        self.target = target
        self.query = target.partition(b"?")[2]
        self._params = None

    @property
    def is_resolved(self) -> bool:
        """Return whether the permissions of the caller, or the refusal of its token, are known."""
        return self._caller is not None or self._refusal is not None

    @property
    def is_refused(self) -> bool:
        """Return whether the token of the caller is not known."""
        return self._refusal is not None

    def authenticate(self, caller: Authorizer | Forbidden) -> None:
        """Set the permissions of the caller, or the refusal of an unknown token."""
        if isinstance(caller, Authorizer):
            self._caller, self._refusal = caller, None
        else:
            self._caller, self._refusal = None, caller

    @property
    def params(self) -> dict[str, str]:
        """Return the query's parameters; of one given twice the first counts."""
        if self._params is None:
            self._params = {}
            if self.query:
                for name, value in parse_qsl(self.query.decode("utf-8", "replace"), keep_blank_values=True):
                    self._params.setdefault(name, value)
        return self._params

    def __contains__(self, name: str) -> bool:
        """Return whether a parameter was given, with or without a value."""
        return name in self.params

    def unsigned(self, name: str) -> int | None:
        """Return a number that Consul parses as an unsigned one; its refusal is a 500 with Go's text."""
        text = self.params.get(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()):
            raise server_error(f'strconv.ParseUint: parsing "{text}": invalid syntax')
        digits = text.lstrip("0") or "0"
        if len(digits) > DIGITS or (number := int(digits)) >= 1 << 64:
            raise server_error(f'strconv.ParseUint: parsing "{text}": value out of range')
        return number

    def multi(self, name: str) -> list[str]:
        """Return every value of a parameter that may be given several times."""
        return [
            value
            for key, value in parse_qsl(self.query.decode("utf-8", "replace"), keep_blank_values=True)
            if key == name
        ]

    @property
    def token(self) -> str:
        """Return the secret ID of the caller's token, or "": `?token=` before `X-Consul-Token` before a Bearer token."""
        if self._token is None:
            # The default token of this agent is not for requests that other agents forward.
            self._token = self._find_token() or (ANONYMOUS_SECRET if self.origin else "")
        return self._token

    @property
    def has_token(self) -> bool:
        """Return whether the caller gave a token, or the agent that forwards the request its default token."""
        return bool(self._find_token())

    def _find_token(self) -> str:
        if self.route is not None and self.route.pages is not None:
            token: str = self.route.pages.token(self)
            return token
        if self.query and "token" in self.params:
            return self.params["token"]
        given = self.headers.get(b"x-consul-token")
        if given:
            return given.decode("latin-1")
        scheme, _, secret = self.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else ""


def wait_options(request: Request) -> tuple[int, float]:
    """`?wait` and `?index` of a blocking query: the index to pass (0: do not wait), and the seconds to wait (0: not given).

    Raises HTTPError 400.
    """
    params = request.params
    index_text, wait_text = params.get("index"), params.get("wait")
    wait = 0.0
    if wait_text:
        try:
            wait = max(0.0, parse_go_duration_s(wait_text))
        except ValueError:
            raise bad_request("Invalid wait time") from None
    if not index_text:
        return 0, wait
    if not (index_text.isascii() and index_text.isdigit()):
        raise bad_request("Invalid index")
    digits = index_text.lstrip("0") or "0"
    if len(digits) > DIGITS or (index := int(digits)) >= 1 << 64:
        raise bad_request("Invalid index")
    return index, wait


def seconds_to_wait(wait: float, default: float, longest: float) -> float:
    """Return how long a blocking query waits; `wait` is what it asked for, 0 if it did not."""
    return min(wait or default, longest)


def method_not_allowed(method: str, allowed: tuple[str, ...]) -> HTTPError:
    return HTTPError(405, f"method {method} not allowed", ((b"Allow", ",".join(allowed).encode()),))
