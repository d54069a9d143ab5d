"""Which requests are refused before their handler: blocked paths, networks that may not write, pages of other sites."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.http import HTTPConfig
from pyconsul.agent.httpapi.core.admission import CHECKED_HEADERS, Admission, host_of
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import HTTPError
from pyconsul.agent.httpapi.server import reader

OWN = "127.0.0.1:8500"
FOREIGN = "attacker.example"


def admission(**http: object) -> Admission:
    return Admission(
        replace(Config(), node_name="Web1", advertise_addr="10.0.0.5", http_config=HTTPConfig(**http))  # type: ignore[arg-type]
    )


def request(method: str = "GET", path: str = "/v1/kv/a", remote: str = "127.0.0.1", **headers: str) -> Request:
    found = {name.replace("_", "-").lower().encode(): value.encode() for name, value in headers.items()}
    return Request(method, path.encode(), found, b"", remote)


def refusal(one: Request, rules: Admission | None = None) -> str:
    """Return the text of the refusal of a request; "" when it is served."""
    rules = rules or admission()
    try:
        rules.check(one)
        rules.check_writer(one)
    except HTTPError as error:
        return error.text if error.status == 403 else str(error.status)
    return ""


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize("host", [OWN, FOREIGN, ""])
def test_programs_are_served_under_any_host(method: str, host: str) -> None:
    assert refusal(request(method, Host=host, User_Agent="curl/8", Accept="*/*")) == ""


@pytest.mark.parametrize(
    "host",
    [
        OWN,
        "127.0.0.1",
        "[::1]:8500",
        "localhost:8500",
        "LOCALHOST",
        "localhost.",
        "web1:8500",
        "10.9.8.7",
        "[fe80::1]",
        "web1.node.consul",
        "web1.node.dc1.consul:8500",
    ],
)
@pytest.mark.parametrize("header", [{"Accept_Language": "de"}, {"Sec_Fetch_Site": "none"}])
def test_browsers_are_served_under_the_agents_own_names(host: str, header: dict[str, str]) -> None:
    assert refusal(request(Host=host, **header)) == ""
    assert refusal(request("PUT", Host=host, **header)) == ""


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"])
@pytest.mark.parametrize(
    "header",
    [{"Accept_Language": "de"}, {"Sec_Fetch_Site": "same-origin"}, {"Origin": f"http://{FOREIGN}:8500"}],
)
@pytest.mark.parametrize("host", [FOREIGN, f"{FOREIGN}:8500", "localhost.attacker.example", "", "127.0.0.1.nip.io"])
def test_a_browser_under_a_foreign_name_is_refused_on_loopback(method: str, header: dict[str, str], host: str) -> None:
    text = refusal(request(method, Host=host, **header))
    assert "is not a name of this agent; http_config.allowed_hosts" in text


def test_other_listeners_answer_to_the_names_they_are_given_elsewhere() -> None:
    assert refusal(request(remote="10.1.1.1", Host="consul.corp.example", Accept_Language="de")) == ""
    assert refusal(request(remote="", Host="consul.corp.example", Accept_Language="de")) == ""  # a unix socket


@pytest.mark.parametrize("remote", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_has_many_forms(remote: str) -> None:
    assert refusal(request(remote=remote, Host=FOREIGN, Accept_Language="de"))


@pytest.mark.parametrize("remote", ["127.0.0.1", "10.1.1.1", ""])
@pytest.mark.parametrize("origin", [f"https://{FOREIGN}", "null", "http://10.6.6.6", "nonsense", "file://"])
def test_pages_of_other_sites_may_read_but_not_write(origin: str, remote: str) -> None:
    assert refusal(request("GET", remote=remote, Host=OWN, Origin=origin)) == ""
    for method in ("PUT", "POST", "DELETE"):
        assert "another site" in refusal(request(method, remote=remote, Host=OWN, Origin=origin))
        # A browser's own word that all is well does not outweigh what it says of the page.
        assert refusal(request(method, remote=remote, Host=OWN, Origin=origin, Sec_Fetch_Site="same-origin"))


@pytest.mark.parametrize("origin", [f"http://{OWN}", "http://localhost:3000", "http://web1:8500", "https://10.0.0.5"])
def test_pages_of_the_agent_write(origin: str) -> None:
    assert refusal(request("PUT", Host=OWN, Origin=origin)) == ""
    assert refusal(request("PUT", Host=OWN, Origin=origin, Sec_Fetch_Site="same-site")) == ""


def test_a_page_served_under_the_same_name_writes() -> None:
    assert refusal(request("PUT", remote="10.1.1.1", Host="c.example", Origin="https://c.example")) == ""


@pytest.mark.parametrize("headers", [{}, {"Origin": f"http://{OWN}"}])
def test_a_cross_site_write_is_refused_whatever_its_origin(headers: dict[str, str]) -> None:
    assert refusal(request("GET", Host=OWN, Sec_Fetch_Site="cross-site", **headers)) == ""
    assert "another site" in refusal(request("PUT", Host=OWN, Sec_Fetch_Site="Cross-Site", **headers))


def test_a_setting_allows_further_names() -> None:
    rules = admission(allowed_hosts=("Consul.Corp.example", ".apps.example"))
    for name in ("consul.corp.example", "a.apps.example", "b.a.apps.example:8500"):
        host = {"Host": name, "Accept_Language": "de", "Origin": f"https://{name}", "Sec_Fetch_Site": "cross-site"}
        assert refusal(request("PUT", **host), rules) == ""
    for name in ("corp.example", "xapps.example", "x.consul.corp.example"):
        assert refusal(request("GET", Host=name, Accept_Language="de"), rules)
    assert refusal(request("PUT", Host=FOREIGN, Origin="null"), admission(allowed_hosts=("*",))) == ""


def test_blocked_endpoints() -> None:
    rules = admission(block_endpoints=("/v1/agent/self", "/v1/kv/"))
    for path in ("/v1/agent/self", "/v1/agent/self?pretty", "/v1/kv/a", "/v1/kv/%61"):
        assert refusal(request(path=path), rules) == "Endpoint is blocked by agent configuration"
    assert refusal(request(path="/v1/agent/host"), rules) == ""


def test_only_the_networks_that_are_listed_may_write() -> None:
    rules = admission(allow_write_http_from=("10.0.0.0/8", "fd00::/8"))
    for remote in ("10.1.2.3", "fd00::1", "::ffff:10.1.2.3"):
        assert refusal(request("PUT", remote=remote), rules) == ""
    for remote in ("127.0.0.1", "::1", ""):
        for method in ("PUT", "POST", "DELETE", "PATCH"):
            assert refusal(request(method, remote=remote), rules) == "Access is restricted"
        for method in ("GET", "HEAD", "OPTIONS"):
            assert refusal(request(method, remote=remote), rules) == ""


def test_connections_answer_nothing_from_the_cache_that_must_be_checked() -> None:
    assert all(reader.FLAGS.get(name, 0) & reader.SPECIAL for name in CHECKED_HEADERS)


def test_the_host_of_a_header() -> None:
    assert [host_of(text) for text in (b" A.B:1 ", b"[::1]:80", b"[::1", b"x.", b"")] == ["a.b", "::1", "::1", "x", ""]
