"""Checks that many endpoints share: common query parameters and headers, in Consul's order, and control characters in bodies."""

from __future__ import annotations

from collections.abc import Mapping

from pyconsul.agent.common.go.durations import parse_go_duration_s
from pyconsul.agent.httpapi.core.consistency.freshness import allows_stale
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request, wait_options
from pyconsul.agent.httpapi.core.response import bad_request
from pyconsul.agent.model.control_characters import fault_of_fields

#: Query parameter, header, and their Enterprise feature.
ENTERPRISE = (
    ("ns", b"x-consul-namespace", "X-Consul-Namespace", "Namespaces"),
    ("partition", b"x-consul-partition", "X-Consul-Partition", "Partitions"),
)
#: Parameters whose response is not a line of JSON, or that the stream sets for all of its queries.
UNSUPPORTED_IN_STREAM = ("index", "wait", "pretty", "raw")
SECONDS = ("max-age=", "stale-if-error=")  # directives of Cache-Control with a number


def check_read(request: Request) -> None:
    """Raises HTTPError 400 for consistency modes, cache directives, and waits that cannot be."""
    if request.query:
        _check_level(request)
    if (directives := request.headers.get(b"cache-control")) is not None:
        _check_cache_control(directives.decode("latin-1"))
    if request.query:
        wait_options(request)


def takes_kept(request: Request) -> bool:
    """Return whether a `?cached` read accepts a response that was made for an earlier request.

    Such a response is current (age 0), so of `Cache-Control` only `must-revalidate` and `max-age=0` forbid it.
    """
    directives = request.headers.get(b"cache-control", b"").lower().replace(b" ", b"").split(b",")
    return b"must-revalidate" not in directives and b"max-age=0" not in directives


def refuse_enterprise(request: Request) -> None:
    """Raises HTTPError 400 for parameters and headers of Consul Enterprise."""
    for name, key, header, what in ENTERPRISE:
        if request.headers.get(key):
            raise bad_request(f'Invalid header: "{header}" - {what} are a Consul Enterprise feature')
        if request.query and request.params.get(name):
            raise bad_request(f'Invalid query parameter: "{name}" - {what} are a Consul Enterprise feature')


def _check_level(request: Request) -> None:
    if max_stale := request.params.get("max_stale"):
        try:
            parse_go_duration_s(max_stale)
        except ValueError:
            raise bad_request(f'Invalid max_stale value "{max_stale}"') from None
    if "consistent" in request and allows_stale(request):
        raise bad_request("Cannot specify ?stale with ?consistent, conflicting semantics.")
    if "cached" in request and "consistent" in request:
        raise bad_request("Cannot specify ?cached with ?consistent, conflicting semantics.")


def _check_cache_control(text: str) -> None:
    for directive in text.lower().split(","):
        name, equals, number = directive.strip().partition("=")
        digits = number[1:] if number[:1] in ("-", "+") else number
        if name + equals in SECONDS and not (digits.isascii() and digits.isdigit()):
            raise bad_request("Invalid Cache-Control header.")


def refuse_control_characters(context: Context, body: object, path: str = "") -> None:
    """Raises HTTPError 400, which names the field, unless the settings allow control characters."""
    if not context.config.allow_control_characters and (fault := fault_of_fields(body, path)):
        raise bad_request(fault)


def unsupported_in_stream(params: Mapping[str, str]) -> str:
    """Return why a GET with these parameters cannot be part of a stream, or ""."""
    found = [name for name in UNSUPPORTED_IN_STREAM if name in params]
    return f"?{found[0]} cannot be used in a stream" if found else ""
