"""Pages of two callers never mix: live pages and kept renderings, while permissions change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from support.acl_agent import Manager, acl_agent
from support.event_stream import Stream
from support.eventually import eventually
from support.site_visitor import Visitor

ROOT = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"
SERVICES = "/ui/dc1/services"
READ = 'service "secret-web" { policy = "read" } node_prefix "" { policy = "read" }'


@pytest.fixture(scope="module")
def root() -> Iterator[Manager]:
    with acl_agent(ui_config={"enabled": True}) as manager:
        manager.write("/v1/agent/service/register", {"Name": "secret-web"})
        yield manager


def reader(root: Manager, name: str, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a policy that shows the service, and a token with it."""
    policy = root.write("/v1/acl/policy", {"Name": name, "Rules": READ})
    token = root.write("/v1/acl/token", {"Policies": [{"Name": name}], **fields})
    return policy, token


def watching(root: Manager, secret: str) -> Stream:
    """Return the stream of a page that shows the service, opened."""
    stream = Stream(root.agent, SERVICES, cookie=f"pyconsul_token={secret}")
    assert stream.next()[0] == "hello"
    name, data = stream.next()
    assert name == "page"
    assert "secret-web" in str(data)
    return stream


def test_a_page_that_is_live_for_one_is_not_shown_to_another(root: Manager) -> None:
    _, token = reader(root, "live-for-one")
    with closing(watching(root, token["SecretID"])):
        assert "secret-web" in Visitor(root.agent, token["SecretID"]).get(SERVICES).text
        for other in (Visitor(root.agent), Visitor(root.agent, root.caller('key "a" { policy = "read" }').secret)):
            assert "secret-web" not in other.get(SERVICES).html
        with closing(Stream(root.agent, SERVICES)) as nobody:
            assert nobody.next()[0] == "hello"
            assert "secret-web" not in str(nobody.next())


def test_rights_that_are_withdrawn_end_on_pages_that_are_live(root: Manager) -> None:
    policy, token = reader(root, "withdrawn")
    visitor = Visitor(root.agent, token["SecretID"])
    with closing(watching(root, token["SecretID"])) as stream:
        root.write(f"/v1/acl/policy/{policy['ID']}", {"Name": "withdrawn", "Rules": ""})
        assert "secret-web" not in visitor.get(SERVICES).html  # at once: no kept page is shown
        name, data = stream.next()
        assert name == "page"
        assert "secret-web" not in str(data)
        root.write(f"/v1/acl/policy/{policy['ID']}", {"Name": "withdrawn", "Rules": READ})
        assert "secret-web" in str(stream.next())


def test_a_link_that_is_removed_ends_on_pages_that_are_live(root: Manager) -> None:
    _, token = reader(root, "unlinked")
    with closing(watching(root, token["SecretID"])) as stream:
        root.write(f"/v1/acl/token/{token['AccessorID']}", {"Policies": []})
        assert "secret-web" not in Visitor(root.agent, token["SecretID"]).get(SERVICES).html
        assert "secret-web" not in str(stream.next())


def test_a_token_that_is_deleted_ends_its_pages(root: Manager) -> None:
    _, token = reader(root, "deleted")
    visitor = Visitor(root.agent, token["SecretID"])
    with closing(watching(root, token["SecretID"])) as stream:
        assert root.ask("DELETE", f"/v1/acl/token/{token['AccessorID']}")[0] == 200
        shown = visitor.get(SERVICES)
        assert shown.status == 403
        assert "secret-web" not in shown.html
        assert stream.next()[0] == "reload"
        root.write("/v1/agent/service/register", {"Name": "secret-web", "Tags": ["later"]})
        assert "secret-web" not in visitor.get(SERVICES).html
    with closing(Stream(root.agent, SERVICES, cookie=f"pyconsul_token={token['SecretID']}")) as late:
        assert late.next()[0] == "hello"
        assert "secret-web" not in str(late.next())


@pytest.mark.slow
def test_a_token_that_expires_ends_its_pages(root: Manager) -> None:
    _, token = reader(root, "expires", ExpirationTTL="60s")
    visitor = Visitor(root.agent, token["SecretID"])
    with closing(watching(root, token["SecretID"])) as stream:
        eventually(lambda: visitor.get(SERVICES).status == 403, patience=90)
        while (event := stream.next()[0]) == "alive":
            pass
        assert event == "reload"


def test_what_an_action_has_done_is_told_to_its_browser_only(root: Manager) -> None:
    first, second = Visitor(root.agent, ROOT), Visitor(root.agent, ROOT)
    with closing(watching(root, ROOT)):
        first.post("/ui/dc1/acls/roles/create", "save", name="told-once")
        cookies = "; ".join(f"{name}={value}" for name, value in first.cookies.items())
        with closing(Stream(root.agent, "/ui/dc1/acls/roles", cookie=cookies)) as stream:
            assert stream.next()[0] == "hello"
            assert stream.next()[0] == "page"
            assert "is created" not in second.get("/ui/dc1/acls/roles").text
            assert "The role told-once is created." in first.get("/ui/dc1/acls/roles").text


def test_form_tokens_of_browsers_differ_on_kept_pages(root: Manager) -> None:
    with closing(watching(root, ROOT)):
        tokens = {Visitor(root.agent, ROOT).form_token() for _ in range(2)}
        pages = [Visitor(root.agent, ROOT).get(SERVICES).html for _ in range(2)]
    assert len(tokens) == 2
    assert pages[0] != pages[1]
    assert all("form-token-of-this-browser" not in page for page in pages)
