"""Cookies with the token, protection of forms, and headers of pages.

A form is believed if it comes from a page of this site: `Sec-Fetch-Site` and `Origin` say so where the browser sends them, and
its field `form` fits the cookie FORM, which other sites can neither read nor set.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.server.contract import Headers
from pyconsul.agent.ui.contract import Refused

TOKEN = "pyconsul_token"  # cookie: the secret ID of the token that the browser is logged in with
FORM = "pyconsul_form"  # cookie: a random text; a hash of it stands in each form
PLACEHOLDER = b"form-token-of-this-browser"  # stands for that hash in renderings that browsers share
#: Headers of a browser's request that a server needs when another agent forwards it.
PASSED = (b"cookie", b"host", b"origin", b"sec-fetch-site", b"x-forwarded-proto", b"if-none-match", b"referer")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAFE: Headers = (
    (b"Content-Security-Policy", POLICY.encode()),
    (b"X-Frame-Options", b"DENY"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"same-origin"),  # without a referrer, browsers hide the origin of forms, too
    (b"Cache-Control", b"no-store"),
)
FORM_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")


def cookies(request: Request) -> Mapping[str, str]:
    """Return the cookies of a request; of one sent twice the first counts."""
    found: dict[str, str] = {}
    for part in request.headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, separator, value = part.strip().partition("=")
        if separator:
            found.setdefault(name, unquote(value))
    return found


def token_of(request: Request) -> str:
    """Return the token of a browser, or the one that a script gives in the header of the API."""
    given = request.headers.get(b"x-consul-token")
    return given.decode("latin-1") if given else cookies(request).get(TOKEN, "")


def form_cookie(request: Request) -> str:
    """Return the browser's text for its forms, "" if it has none that could be ours."""
    text = cookies(request).get(FORM, "")
    return text if FORM_ID.fullmatch(text) else ""


def new_form_cookie() -> str:
    """Return a text for the forms of a browser."""
    return secrets.token_urlsafe(24)


def form_field(cookie: str) -> str:
    """Return the field that belongs to a browser's text."""
    return hashlib.sha256(b"form:" + cookie.encode()).hexdigest()


def require_own_form(request: Request, field: str) -> None:
    """Raises Refused for a form that did not come from a page of this site."""
    site = request.headers.get(b"sec-fetch-site", b"same-origin").decode("latin-1")
    origin = request.headers.get(b"origin", b"").decode("latin-1")
    host = request.headers.get(b"host", b"").decode("latin-1")
    cookie = form_cookie(request)
    fits = bool(cookie) and hmac.compare_digest(form_field(cookie).encode(), field.encode("utf-8", "replace"))
    if site not in ("same-origin", "none") or (origin and urlsplit(origin).netloc != host) or not fits:
        raise Refused(
            "This form was not sent from a page of this agent",
            "Its origin or its form token does not fit.",
            "Open the page again, and send the form once more; the browser must accept cookies.",
            status=403,
        )


def set_cookie(request: Request, root: str, name: str, value: str) -> tuple[bytes, bytes]:
    """Return the header that sets a cookie for the pages only; an empty value removes it."""
    secure = "; Secure" if request.headers.get(b"x-forwarded-proto", b"").lower() == b"https" else ""
    ended = "" if value else "; Max-Age=0"
    return b"Set-Cookie", f"{name}={quote(value)}; Path={root}; HttpOnly; SameSite=Strict{secure}{ended}".encode()
