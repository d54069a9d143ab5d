"""Registrations that ACLs refuse: named once with token and missing rule, then counted, and registered when they may be."""

from __future__ import annotations

import logging

import pytest
from support.local_agent import NODE, World, check_row, service_row

from pyconsul.agent.state.schemas import CHECKS, SERVICES
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow


class Acl:
    """Refuses every row until `allows` is set."""

    def __init__(self) -> None:
        self.allows = False

    def __call__(self, token: str, kind: str, name: str) -> str | None:
        return None if self.allows else "an-accessor"


@pytest.fixture
def acl() -> Acl:
    return Acl()


@pytest.fixture
def world(acl: Acl) -> World:
    made = World(permits=acl)
    made.local.put_service(ServiceRow(service_row("web-1", "web"), token="secret"))
    made.local.put_check(CheckRow(check_row("disk"), token="secret"), 0.0)
    return made


def words(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


async def test_each_refusal_is_logged_once_and_counted(
    world: World, acl: Acl, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "agent.sync"):
        await world.syncer.full_sync()
        assert words(caplog) == [
            "Service registration blocked by ACLs: service=web-1 accessorID=an-accessor attempts=1 "
            'missing=service "web" { policy = "write" } (set the token of the registration, or acl.tokens.default)',
            "Check registration blocked by ACLs: check=disk accessorID=an-accessor attempts=1 "
            f'missing=node "{NODE}" {{ policy = "write" }} (set the token of the registration, or acl.tokens.default)',
        ]
        caplog.clear()
        for _ in range(8):
            await world.syncer.full_sync()
        assert words(caplog) == []
        await world.syncer.full_sync()
        assert [" attempts=10 " in line for line in words(caplog)] == [True, True]
        assert not any("secret" in line for line in words(caplog))
        assert world.catalog.store[SERVICES].get((NODE, "web-1")) is None
        caplog.clear()
        acl.allows = True
        await world.syncer.full_sync()
        assert words(caplog) == [
            "Service registration no longer blocked by ACLs: service=web-1 attempts=10",
            "Check registration no longer blocked by ACLs: check=disk attempts=10",
        ]
    assert world.catalog.store[SERVICES].get((NODE, "web-1")) is not None
    assert world.catalog.store[CHECKS].get((NODE, "disk")) is not None


async def test_rows_that_go_are_forgotten(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.syncer.full_sync()
    world.local.remove_service("web-1")
    world.local.remove_check("disk")
    await world.syncer.flush()
    caplog.clear()
    world.local.put_service(ServiceRow(service_row("web-1", "web"), token="secret"))
    await world.syncer.flush()
    assert len(words(caplog)) == 1
