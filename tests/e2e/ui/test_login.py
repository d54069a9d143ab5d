"""Login and logout, the cookie of the token, and forms that other sites send."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.acl_agent import Manager, acl_agent
from support.site_visitor import Visitor

ROOT = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
LOGIN = "/ui/dc1/login"
UNKNOWN = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def root() -> Iterator[Manager]:
    with acl_agent(ui_config={"enabled": True}, log_level="debug") as manager:
        yield manager


@pytest.fixture(scope="module")
def key(root: Manager) -> ec.EllipticCurvePrivateKey:
    """Return the key of an auth method that logs services in."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    config = {"JWTValidationPubKeys": [pem], "JWTSupportedAlgs": ["ES256"], "ClaimMappings": {"sub": "name"}}
    method = {"Name": "people", "Type": "jwt", "DisplayName": "Company", "Config": config}
    root.write("/v1/acl/auth-method", method)
    root.write("/v1/acl/binding-rule", {"AuthMethod": "people", "BindType": "service", "BindName": "${value.name}"})
    return key


def bearer(key: ec.EllipticCurvePrivateKey, **claims: Any) -> str:
    return jwt.encode({"sub": "web", "exp": time.time() + 60, **claims}, key, "ES256")


def test_a_wrong_token_is_refused_in_place(root: Manager) -> None:
    visitor = Visitor(root.agent)
    accessor = root.read("/v1/acl/token/self")["AccessorID"]
    for wrong in ("", UNKNOWN, accessor, "x\ny", "\u202e", "<script>alert(1)</script>"):
        shown = visitor.act(LOGIN, "login", token=wrong, next="/ui/dc1/kv")
        assert shown.status == 403
        assert "no token has this secret" in shown.text
        assert 'name="next" value="/ui/dc1/kv"' in shown.html
        assert "pyconsul_token" not in visitor.cookies
        if wrong:
            assert wrong not in shown.html


def test_a_wrong_token_does_not_pass_for_the_one_of_the_browser(root: Manager) -> None:
    visitor = Visitor(root.agent, ROOT)
    assert visitor.act(LOGIN, "login", token=UNKNOWN).status == 403
    assert visitor.cookies["pyconsul_token"] == ROOT


def test_the_cookie_of_the_token(root: Manager) -> None:
    visitor = Visitor(root.agent, ROOT)
    (cookie,) = [one for one in visitor.set_cookies if one.startswith("pyconsul_token=")]
    assert cookie == f"pyconsul_token={ROOT}; Path=/ui/; HttpOnly; SameSite=Strict"
    secure = Visitor(root.agent)
    secure.post(LOGIN, "login", {"X-Forwarded-Proto": "https"}, token=ROOT)
    assert f"pyconsul_token={ROOT}; Path=/ui/; HttpOnly; SameSite=Strict; Secure" in secure.set_cookies
    for path in ("/v1/acl/tokens", "/v1/acl/token/self", "/v1/agent/self", "/v1/kv/x"):
        with_cookie = visitor.get(path)
        assert with_cookie.status in (401, 403), path
    assert visitor.send("PUT", "/v1/kv/x", b"1", {}).status == 403


def test_the_token_stands_in_no_page_address_or_log(root: Manager) -> None:
    visitor = Visitor(root.agent)
    sent = visitor.post(LOGIN, "login", token=ROOT)
    assert (sent.status, sent.location) == (303, "/ui/dc1")
    shown = [
        visitor.get(f"/ui/dc1/{page}") for page in ("services", "acls/tokens", "login", "search?q=5f0e6f6c", "nodes")
    ]
    assert all(ROOT not in page.html for page in shown)
    assert "/ui/dc1/acls/tokens" in root.agent.log()
    assert ROOT not in root.agent.log()
    for page in ("services", "acls/tokens"):
        # A token in an address counts for nothing.
        assert (
            Visitor(root.agent).get(f"/ui/dc1/{page}?token={ROOT}").text
            == Visitor(root.agent).get(f"/ui/dc1/{page}").text
        )


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example/",
        "https://evil.example/",
        "/v1/kv/",
        "/ui/\\evil",
        "/ui/x\r\nSet-Cookie: a=b",
        "/ui/../v1/",
        "/ui/\u00e9",
        "ui/",
    ],
)
def test_a_login_leads_to_pages_of_this_site_only(root: Manager, address: str) -> None:
    sent = Visitor(root.agent).post(LOGIN, "login", token=ROOT, next=address)
    assert (sent.status, sent.location) == (303, "/ui/dc1")
    assert sent.header("a") == ""


def test_a_login_leads_back(root: Manager) -> None:
    sent = Visitor(root.agent).post(LOGIN, "login", token=ROOT, next="/ui/dc1/kv/a%2Fb?x=1")
    assert sent.location == "/ui/dc1/kv/a%2Fb?x=1"


def test_logging_out_forgets_a_token(root: Manager) -> None:
    visitor = Visitor(root.agent, ROOT)
    assert "Logging out makes this browser forget it; it stays valid." in visitor.get(LOGIN).text
    assert "it stays valid" in visitor.act(LOGIN, "logout").text
    assert "pyconsul_token" not in visitor.cookies
    assert root.read("/v1/acl/token/self")


def test_a_login_by_jwt_makes_a_token_and_the_logout_ends_it(root: Manager, key: ec.EllipticCurvePrivateKey) -> None:
    visitor = Visitor(root.agent)
    assert '<option value="people">Company</option>' in visitor.get(LOGIN).html
    text = bearer(key)
    shown = visitor.act(LOGIN, "login-jwt", method="people", jwt=f"\r\n{text[:50]}\r\n {text[50:]} \n")
    assert "Logged in by people." in shown.text, shown.text
    secret = visitor.cookies["pyconsul_token"]
    made = next(one for one in root.read("/v1/acl/tokens") if one["SecretID"] == secret)
    assert made["ServiceIdentities"] == [{"ServiceName": "web"}]
    assert "made by a login by people. Logging out deletes it." in visitor.get(LOGIN).text
    assert "The token that the login made is deleted." in visitor.act(LOGIN, "logout").text
    assert all(one["SecretID"] != secret for one in root.read("/v1/acl/tokens"))


def test_a_jwt_that_is_refused_says_why(root: Manager, key: ec.EllipticCurvePrivateKey) -> None:
    visitor = Visitor(root.agent)
    for text, reason in (
        ("", "paste the JSON web token"),
        ("a.b.c", "The auth method people refuses"),
        (bearer(key, exp=1), "token is expired"),
    ):
        shown = visitor.act(LOGIN, "login-jwt", method="people", jwt=text)
        assert reason in shown.text
        assert shown.status in (400, 403)
    assert "not found" in visitor.act(LOGIN, "login-jwt", method="nothing", jwt="a.b.c").text
    assert "pyconsul_token" not in visitor.cookies


def test_a_token_that_is_gone_can_be_left(root: Manager) -> None:
    made = root.write("/v1/acl/token", {"Description": "gone"})
    visitor = Visitor(root.agent, made["SecretID"])
    root.ask("DELETE", f"/v1/acl/token/{made['AccessorID']}")
    refused = visitor.get("/ui/dc1/services")
    assert refused.status == 403
    assert "This token is not known" in refused.text
    assert refused.links("^/ui/dc1/login") != []
    assert "has expired or was deleted" in visitor.get(LOGIN).text
    assert visitor.act(LOGIN, "logout").status == 200
    assert "pyconsul_token" not in visitor.cookies


ACTION = "/ui/dc1/acls/policies/create"
FORGED: dict[str, dict[str, str]] = {
    "foreign origin": {"Origin": "https://evil.example"},
    "origin with our name in it": {"Origin": "http://127.0.0.1.evil.example"},
    "no origin at all": {"Origin": "null"},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another name of the site": {"Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("headers", list(FORGED.values()), ids=list(FORGED))
def test_forms_of_other_sites_are_refused(root: Manager, headers: dict[str, str]) -> None:
    visitor = Visitor(root.agent, ROOT)
    sent = visitor.post(ACTION, "save", headers, name="forged")
    assert sent.status == 403
    assert "another site" in sent.html or "This form was not sent from a page of this agent" in sent.html
    assert visitor.post(LOGIN, "login", headers, token=ROOT).status == 403
    assert all(one["Name"] != "forged" for one in root.read("/v1/acl/policies"))


@pytest.mark.parametrize("field", ["", "x", "0" * 64, "é"])
def test_forms_without_the_right_field_are_refused(root: Manager, field: str) -> None:
    visitor = Visitor(root.agent, ROOT)
    assert visitor.post(ACTION, "save", name="forged", form=field).status == 403
    other = Visitor(root.agent, ROOT)
    assert visitor.post(ACTION, "save", name="forged", form=other.form_token()).status == 403
    visitor.cookies.pop("pyconsul_form")
    token = "".join("0" for _ in range(64))
    assert (
        visitor.send(
            "POST",
            ACTION,
            f"do=save&name=forged&form={token}".encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
        ).status
        == 403
    )
    assert all(one["Name"] != "forged" for one in root.read("/v1/acl/policies"))


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "", "application/x-www-form-urlencodedx"])
def test_other_content_types_are_refused(root: Manager, kind: str) -> None:
    visitor = Visitor(root.agent, ROOT)
    sent = visitor.post(ACTION, "save", {"Content-Type": kind}, name="forged")
    assert sent.status == 400
    assert "The form cannot be read" in sent.text
    assert all(one["Name"] != "forged" for one in root.read("/v1/acl/policies"))


def test_the_same_form_is_accepted_from_a_page_of_the_site(root: Manager) -> None:
    visitor = Visitor(root.agent, ROOT)
    sent = visitor.post(ACTION, "save", {"Origin": f"http://127.0.0.1:{root.agent.http_port}"}, name="accepted")
    assert sent.status == 303


def test_every_page_has_the_headers_that_protect_it(root: Manager) -> None:
    visitor = Visitor(root.agent, ROOT)
    pages = [
        visitor.get(f"/ui/dc1/{one}")
        for one in ("services", "acls/tokens", "login", "nothing", "search?q=a", "services/none")
    ]
    pages += [
        visitor.act(ACTION, "save", name=""),
        visitor.get(f"{ACTION}?do=bootstrap"),
        Visitor(root.agent).get("/ui/dc1/acls/tokens"),
    ]
    pages.append(visitor.post("/ui/dc1/acls/tokens/create", "save", description="its secret is shown"))
    parts = (
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'none'",
    )
    for page in pages:
        policy = page.header("Content-Security-Policy")
        assert all(part in policy for part in parts)
        assert "unsafe" not in policy
        assert page.header("X-Frame-Options") == "DENY"
        assert page.header("Referrer-Policy") == "same-origin"
        assert page.header("X-Content-Type-Options") == "nosniff"
        assert page.header("Cache-Control") == "no-store"
        assert " style=" not in page.html
        assert "<script>" not in page.html
