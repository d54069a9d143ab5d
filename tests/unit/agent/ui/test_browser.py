"""Forms and cookies of browsers."""

from __future__ import annotations

import pytest

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.ui import browser
from pyconsul.agent.ui.contract import Refused

COOKIE = "abcdefghijklmnopqrstuvwx"
FIELD = browser.form_field(COOKIE)
OWN = {b"host": b"agent:8500", b"cookie": f"pyconsul_form={COOKIE}".encode()}


def form(**headers: str) -> Request:
    """Return a request with a form of this site, and other headers."""
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Request("POST", b"/ui/", {**OWN, **given})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://agent:8500"},
        {"origin": "https://agent:8500", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
    ],
)
def test_a_form_of_this_site_is_believed(headers: dict[str, str]) -> None:
    browser.require_own_form(form(**headers), FIELD)


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"origin": "https://evil.example"}, FIELD),
        ({"origin": "http://agent:8501"}, FIELD),
        ({"origin": "http://agent:8500.evil.example"}, FIELD),
        ({"origin": "null"}, FIELD),
        ({"sec_fetch_site": "cross-site"}, FIELD),
        ({"sec_fetch_site": "same-site"}, FIELD),
        ({"cookie": ""}, FIELD),
        ({"cookie": "pyconsul_form=x"}, browser.form_field("x")),
        ({"cookie": "pyconsul_form="}, browser.form_field("")),
        ({}, ""),
        ({}, COOKIE),
        ({}, FIELD[:-1]),
        ({}, "\u00e9\udc80"),
    ],
)
def test_any_other_form_is_refused(headers: dict[str, str], field: str) -> None:
    with pytest.raises(Refused) as refused:
        browser.require_own_form(form(**headers), field)
    assert refused.value.status == 403


def test_the_first_cookie_of_a_name_counts_and_odd_ones_are_no_error() -> None:
    request = Request("GET", b"/ui/", {b"cookie": b" pyconsul_token=a%20b ;x; =; pyconsul_token=c; \xff=\xfe"})
    assert browser.token_of(request) == "a b"
    assert browser.form_cookie(request) == ""


def test_cookies_are_for_the_pages_only() -> None:
    kept = browser.set_cookie(form(), "/ui/", browser.TOKEN, 'a;"\r\nb')
    assert kept[1] == b"pyconsul_token=a%3B%22%0D%0Ab; Path=/ui/; HttpOnly; SameSite=Strict"
    secure = browser.set_cookie(form(x_forwarded_proto="https"), "/ui/", browser.TOKEN, "a")
    assert secure[1].endswith(b"; Secure")
    assert b"Max-Age=0" in browser.set_cookie(form(), "/ui/", browser.TOKEN, "")[1]
