"""A browser without scripts: shows pages of an agent, and sends their forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

from support.agent_process import AgentProcess

BLOCKS = {"dd", "dt", "div", "h1", "h2", "li", "option", "p", "td", "th"}


class _Texts(HTMLParser):
    """Collects the texts of a page, the addresses of its links, and the elements it has."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self.elements: list[str] = []
        self.inputs: list[dict[str, str]] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append(tag)
        self._within = tag
        if tag in BLOCKS:
            self.texts.append(" ")
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag in ("input", "button"):
            self.inputs.append(given)

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within not in ("script", "style"):
            self.texts.append(data)


@dataclass(frozen=True)
class Shown:
    """A page as it is read.  text: without elements, its space folded."""

    status: int
    html: str
    text: str
    links: list[str]
    elements: list[str]
    inputs: list[dict[str, str]]
    address: str

    def __contains__(self, text: str) -> bool:
        return text in self.text


class PageClient:
    """Shows pages below the datacenter.  token: of the cookie."""

    def __init__(self, agent: AgentProcess, token: str = "") -> None:
        self.agent = agent
        self.cookies = {"pyconsul_token": quote(token)} if token else {}

    def show(self, *segments: str, **params: str) -> Shown:
        """Show a page by the parts of its address."""
        path = "/ui/dc1/" + "/".join(quote(segment, safe="") for segment in segments)
        return self.open(path + ("?" + urlencode(params, quote_via=quote) if params else ""))

    def open(self, address: str) -> Shown:
        """Show the page of an address."""
        status, _, body = self._request("GET", address, None)
        return _shown(status, body, address)

    def act(self, page: Shown, do: str, **fields: str | list[str]) -> Shown:
        """Send a form of a page with the fields it has; returns the page that follows."""
        status, headers, data = self.send(page, do, **fields)
        return self.open(headers["location"]) if status == 303 else _shown(status, data, page.address)

    def send(self, page: Shown, do: str, **fields: str | list[str]) -> tuple[int, dict[str, str], bytes]:
        """Send a form of a page; returns status, headers and body of the response."""
        found = re.search(r'name="form" value="([0-9a-f]+)"', page.html)
        assert found, "the page has no form"
        hidden = [(one["name"], one.get("value", "")) for one in page.inputs if one.get("type") == "hidden"]
        kept = [(name, value) for name, value in hidden if name not in ("form", "do", *fields)]
        given = {"form": found[1], "do": do, **fields}
        address = re.sub(r"(?<=[?&])do=[^&]*&?", "", page.address)
        body = urlencode([*kept, *given.items()], doseq=True).encode()
        return self._request("POST", address, body)

    def ask_and_act(self, *segments: str, do: str, on: str = "", **fields: str) -> Shown:
        """Open the question of an action, and answer it."""
        params = {"do": do, "on": on} if on else {"do": do}
        question = self.show(*segments, **params)
        assert question.status == 200, question.text
        return self.act(question, do, **fields)

    def _request(self, method: str, address: str, body: bytes | None) -> tuple[int, dict[str, str], bytes]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = self.agent._connection(30)
        try:
            connection.request(method, address, body, headers)
            response = connection.getresponse()
            for name, value in response.getheaders():
                if name.lower() == "set-cookie":
                    key, _, text = value.partition(";")[0].partition("=")
                    self.cookies[key] = text
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()


def _shown(status: int, body: bytes, address: str) -> Shown:
    html = body.decode()
    parser = _Texts()
    parser.feed(html)
    text = " ".join("".join(parser.texts).split())
    return Shown(status, html, text, parser.links, parser.elements, parser.inputs, address)
