"""A browser without scripts for tests of the web interface: it keeps cookies, sends forms, and follows redirects."""

from __future__ import annotations

import html
import http.client
import re
from dataclasses import dataclass
from urllib.parse import urlencode

from support.agent_process import AgentProcess

FORM_TOKEN = re.compile(r'<meta name="form-token" content="([0-9a-f]*)">')
TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Shown:
    """A page as a browser got it.  location: of a redirect, "" for none."""

    status: int
    headers: list[tuple[str, str]]
    html: str
    location: str = ""

    @property
    def text(self) -> str:
        """Return what a reader sees: without tags, in single spaces."""
        body = self.html.partition("<main")[2] or self.html
        return " ".join(html.unescape(TAG.sub(" ", body.partition(">")[2])).split())

    def header(self, name: str) -> str:
        """Return the value of a header, "" if it was not sent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def links(self, pattern: str) -> list[str]:
        """Return the addresses of links that match an expression."""
        found = [html.unescape(one) for one in re.findall(r'href="([^"]*)"', self.html)]
        return [one for one in found if re.search(pattern, one)]


class Visitor:
    """A browser at one agent.  token: it logs in with it first."""

    def __init__(self, agent: AgentProcess, token: str = "") -> None:
        self.agent = agent
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []  # as they were sent
        if token:
            shown = self.act("/ui/dc1/login", "login", token=token)
            assert "Logged in." in shown.text, shown.text[:500]

    def get(self, address: str, headers: dict[str, str] | None = None) -> Shown:
        """Return a page."""
        return self.send("GET", address, None, headers or {})

    def act(self, address: str, do: str, **fields: object) -> Shown:
        """Send the form of an action, and return the page that is shown then."""
        shown = self.post(address, do, **fields)
        return self.get(shown.location) if shown.location else shown

    def post(self, address: str, do: str, headers: dict[str, str] | None = None, **fields: object) -> Shown:
        """Send the form of an action; a redirect is not followed.  A list sends a field several times."""
        given = {name.replace("__", "-"): value for name, value in fields.items()}
        given = {"do": do, "form": self.form_token(), **given}
        body = urlencode(given, doseq=True).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        return self.send("POST", address, body, {**kind, **(headers or {})})

    def form_token(self) -> str:
        """Return the token that stands in the forms of this browser."""
        found = FORM_TOKEN.search(self.get("/ui/dc1/login").html)
        assert found is not None
        return found[1]

    def send(self, method: str, address: str, body: bytes | None, headers: dict[str, str]) -> Shown:
        """Send a request with the cookies."""
        connection = http.client.HTTPConnection("127.0.0.1", self.agent.http_port, timeout=30)
        cookie = (
            {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        )
        try:
            connection.request(method, address, body, {**cookie, **headers})
            response = connection.getresponse()
            found = response.getheaders()
            text = response.read().decode()
        finally:
            connection.close()
        self._keep([value for name, value in found if name.lower() == "set-cookie"])
        location = next((value for name, value in found if name.lower() == "location"), "")
        return Shown(response.status, found, text, location)

    def _keep(self, cookies: list[str]) -> None:
        self.set_cookies += cookies
        for one in cookies:
            name, _, value = one.partition(";")[0].partition("=")
            if value and "Max-Age=0" not in one:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
