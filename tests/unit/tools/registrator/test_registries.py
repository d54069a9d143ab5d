"""The catalog as a registry, over an agent that answers from a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from support.containers import RULES, container

from pyconsul.tools.consul.connection import ConsulError
from pyconsul.tools.registrator.desired.diff import diff
from pyconsul.tools.registrator.registries import CatalogRegistry


class FakeClient:
    """Notes the requests; `fails`: statuses of errors, by a part of the path."""

    def __init__(self, **fails: int) -> None:
        self.fails = fails
        self.sent: list[str] = []

    async def send(self, method: str, path: str, params: Mapping[str, str], body: bytes = b"") -> Any:
        for part, status in self.fails.items():
            if part in path:
                raise ConsulError(f"{status}", status)
        self.sent.append(path)


@pytest.mark.parametrize("status", [404, 500])
async def test_a_check_that_cannot_be_renewed_keeps_no_other_from_it(status: int) -> None:
    containers = [container(name, ports=["0.0.0.0:8080:80"]) for name in ("api", "lost", "web")]
    client: Any = FakeClient(lost=status)
    plan = diff(containers, {}, replace(RULES, ttl_s=30))
    with pytest.raises(ConsulError):
        await CatalogRegistry(client).beat(plan)
    assert sorted(client.sent) == [
        f"/v1/agent/check/update/service:box:{name}:80:registrator" for name in ("api", "web")
    ]
