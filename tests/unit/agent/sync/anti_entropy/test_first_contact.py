"""An agent that starts while its catalog is out of reach."""

from __future__ import annotations

from random import Random

from support.local_agent import NODE, World, check_row, me, service_row

from pyconsul.agent.acl.authorizer import EVERYTHING
from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.state.catalog.checks import ensure_check
from pyconsul.agent.state.catalog.nodes import ensure_node
from pyconsul.agent.state.schemas import CHECKS
from pyconsul.agent.sync.anti_entropy.first_contact import FirstContact
from pyconsul.agent.sync.anti_entropy.syncer import Syncer
from pyconsul.agent.sync.check_results import CheckResults
from pyconsul.agent.sync.definition import ServiceDefinition
from pyconsul.agent.sync.local_agent import LocalAgent

POLLED = CheckDefinition(id="up", name="up", tcp="127.0.0.1:80", interval=SECOND_NS)


class Restarted:
    """An agent whose catalog shows the check `up` as passing, from before its restart."""

    def __init__(self) -> None:
        self.world = world = World()
        self.shown: list[str] = []
        world.catalog.write(
            lambda txn: (ensure_node(txn, me().node), ensure_check(txn, check_row("up", status="passing")))
        )
        contact = FirstContact(world.shown, world.local)
        self.syncer = Syncer(world.local, me(), contact, Random(1))
        results = CheckResults(world.local, self.syncer, lambda: world.now)
        self.results = results
        self.agent = LocalAgent(
            NODE,
            world.local,
            self.syncer,
            world.store,
            world.scheduler,
            results,
            lambda: world.now,
            world.catalog.store,
        )
        contact.subscribe(self.agent.adopt)
        world.catalog.store.watches.add(self._note, ("checks",))

    def _note(self) -> None:
        self.shown.append(self.status())
        self.world.catalog.store.watches.add(self._note, ("checks",))

    def status(self) -> str:
        check = self.world.catalog.store[CHECKS].get((NODE, "up"))
        assert check is not None
        return check.status


async def test_a_check_that_has_not_run_keeps_the_status_that_the_catalog_shows() -> None:
    restarted = Restarted()
    await restarted.agent.register_service(EVERYTHING, ServiceDefinition(service_row("web"), [POLLED]), from_file=True)
    assert restarted.world.local.checks["up"].check.status == "passing"
    assert restarted.status() == "passing"
    assert "critical" not in restarted.shown
    await restarted.syncer.stop()


async def test_a_check_that_has_run_meanwhile_shows_its_result() -> None:
    restarted = Restarted()
    restarted.syncer.hold()
    await restarted.agent.register_check(EVERYTHING, POLLED, from_file=True)
    restarted.results.notify("up", "warning", "slow")
    restarted.syncer.release()
    assert await restarted.syncer.full_sync()
    assert restarted.status() == "warning"
    await restarted.syncer.stop()


async def test_nothing_is_written_while_definitions_are_loaded() -> None:
    restarted = Restarted()
    commits = restarted.world.catalog.commits
    restarted.syncer.hold()
    await restarted.agent.register_service(EVERYTHING, ServiceDefinition(service_row("web"), []), from_file=True)
    assert restarted.world.catalog.commits == commits
    restarted.syncer.release()
    assert await restarted.syncer.full_sync()
    assert restarted.world.catalog.commits > commits
    await restarted.syncer.stop()
