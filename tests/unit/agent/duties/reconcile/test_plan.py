"""Members and catalog: what the reconciliation does to the nodes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.local_agent import Disk
from support.scripted_pool import ALIVE, FAILED, LEAVING, LEFT, client, server

from pyconsul.agent.duties.reconcile.operations import Conflict, Deregister, MarkFailed, Operation, Register, apply
from pyconsul.agent.duties.reconcile.plan import UNKNOWN_GRACE_S, Pool, plan, unknown_agents
from pyconsul.agent.model.check import CRITICAL, PASSING, SERF_CHECK, serf_check
from pyconsul.agent.model.member import Member
from pyconsul.agent.model.node import Node
from pyconsul.agent.state.catalog.checks import ensure_check
from pyconsul.agent.state.catalog.nodes import ensure_node
from pyconsul.agent.state.catalog.services import ensure_service
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.state.write_txn import WriteTxn
from pyconsul.agent.sync.definition import node_service

ME = server("s1")


def pool_of(*members: Member, departed: Collection[str] = ()) -> Pool:
    return Pool((ME, *members), datacenter="dc1", local="s1", departed=departed)


def node(name: str, node_id: str = "", address: str = "10.0.0.1", **fields: Any) -> Node:
    row = Node(node_id, name, address, "dc1", None, {}, 0, 0)
    return replace(row, **fields)


class Catalog:
    """A catalog with the nodes of a test."""

    def __init__(self) -> None:
        self.disk = Disk()

    def put(self, row: Node, serf: str = "", service: str = "") -> Catalog:
        def write(txn: WriteTxn) -> None:
            ensure_node(txn, row)
            if serf:
                ensure_check(txn, replace(serf_check(row.node, is_alive=True), status=serf))
            if service:
                ensure_service(txn, row.node, node_service(service, id=service))

        self.disk.write(write)
        return self

    def run(self, pool: Pool, *, rounds: int = 1, **options: Any) -> list[Operation]:
        """Plan and apply, and return the operations of the last round; another plan finds nothing more to do."""
        operations: list[Operation] = []

        def write(txn: WriteTxn) -> None:
            for operation in plan(pool, txn, **options):
                operations.append(operation)
                apply(txn, operation)

        for _ in range(rounds):
            operations.clear()
            self.disk.write(write)
        left = [one for one in plan(pool, self.disk.store, **options) if not isinstance(one, Conflict)]
        assert left == [], operations
        return operations

    def status(self, name: str) -> str | None:
        check = self.disk.store[CHECKS].get((name.lower(), SERF_CHECK))
        return check.status if check else None

    def nodes(self) -> dict[str, str]:
        return {row.node: row.id for row in self.disk.store[NODES]}

    def get(self, name: str) -> Node:
        row = self.disk.store[NODES].get(name.lower())
        assert row is not None
        return row


def test_a_client_that_joins_becomes_a_node() -> None:
    catalog = Catalog()
    catalog.run(pool_of(client("c1", "X", address="10.0.0.7")))
    assert replace(catalog.get("c1"), create_index=0, modify_index=0) == node(
        "c1", "X", "10.0.0.7", meta={"consul-version": "1.21.4"}
    )
    check = catalog.disk.store[CHECKS].get(("c1", SERF_CHECK))
    assert check is not None
    assert (check.name, check.status, check.output) == ("Serf Health Status", PASSING, "Agent alive and reachable")
    assert list(catalog.disk.store[SERVICES]) == []


def test_a_server_that_joins_has_the_service_of_servers() -> None:
    catalog = Catalog()
    catalog.run(pool_of(server("s2")))
    row = catalog.disk.store[SERVICES].get(("s2", "consul"))
    assert row is not None
    assert (row.service.service, row.service.port) == ("consul", 8300)
    assert row.service.meta == {
        "non_voter": "false",
        "raft_version": "3",
        "read_replica": "false",
        "serf_protocol_current": "2",
        "serf_protocol_max": "5",
        "serf_protocol_min": "1",
        "version": "1.21.4",
    }


def test_the_node_of_this_server_is_left_alone() -> None:
    catalog = Catalog()
    assert catalog.run(pool_of()) == []
    catalog.put(node("s1", "id-s1"), PASSING)
    left = replace(ME, status=LEFT)
    assert list(plan(Pool((left,), datacenter="dc1", local="S1", departed={"id-s1"}), catalog.disk.store)) == []


def test_others_of_the_pool_are_no_nodes() -> None:
    strangers = (
        Member("serf", "10.0.0.9", 7946, {}, ALIVE),
        Member("faulty", "10.0.0.9", 7946, {"role": "consul", "dc": "dc1", "port": "x"}, ALIVE),
        client("elsewhere", datacenter="dc2"),
        replace(client("old"), tags={key: value for key, value in client("old").tags.items() if key != "id"}),
    )
    assert Catalog().run(pool_of(*strangers)) == []


def test_a_member_that_fails_is_critical_and_passes_when_it_comes_back() -> None:
    catalog = Catalog()
    catalog.run(pool_of(client("c1")))
    assert catalog.run(pool_of(client("c1", status=FAILED))) == [MarkFailed("c1", "failed")]
    check = catalog.disk.store[CHECKS].get(("c1", SERF_CHECK))
    assert check is not None
    assert check.output == "Agent not live or unreachable"
    catalog.run(pool_of(client("c1")))
    assert catalog.status("c1") == PASSING


def test_a_failed_member_that_was_never_registered_is_no_node() -> None:
    assert Catalog().run(pool_of(client("c1", status=FAILED))) == []


def test_a_member_that_is_leaving_changes_nothing() -> None:
    catalog = Catalog()
    catalog.run(pool_of(client("c1")))
    assert catalog.run(pool_of(client("c1", status=LEAVING))) == []


def test_a_member_that_left_is_removed_with_its_services() -> None:
    catalog = Catalog().put(node("c1", "id-c1"), PASSING, "web")
    assert catalog.run(pool_of(client("c1", status=LEFT))) == [Deregister("c1", "left")]
    assert (catalog.nodes(), list(catalog.disk.store[SERVICES])) == ({}, [])


def test_a_registration_that_arrives_after_the_member_left_is_removed() -> None:
    catalog = Catalog()
    catalog.put(node("c1", "id-c1"), service="web")  # as a draining agent registers itself: without serfHealth
    catalog.run(pool_of(client("c1", status=LEFT)))
    assert catalog.nodes() == {}


def test_a_registration_that_arrives_after_the_member_was_erased_is_removed() -> None:
    catalog = Catalog().put(node("c1", "ID-C1"))
    catalog.run(pool_of(departed={"id-c1"}))
    assert catalog.nodes() == {}


def test_an_agent_that_comes_back_after_it_was_erased_stays() -> None:
    catalog = Catalog()
    catalog.run(pool_of(client("c1"), departed={"id-c1"}))
    assert catalog.nodes() == {"c1": "id-c1"}


def test_a_changed_address_is_followed_and_the_rest_of_the_node_stays() -> None:
    tagged = {"lan": "10.0.0.1", "lan_ipv4": "10.0.0.1", "wan": "192.0.2.1"}
    catalog = Catalog().put(node("c1", "id-c1", tagged_addresses=tagged, meta={"rack": "a"}), PASSING, "web")
    catalog.run(pool_of(client("c1", address="10.0.0.2")))
    row = catalog.get("c1")
    assert (row.address, row.meta) == ("10.0.0.2", {"rack": "a"})
    assert row.tagged_addresses == {"lan": "10.0.0.2", "lan_ipv4": "10.0.0.2", "wan": "192.0.2.1"}
    assert catalog.disk.store[SERVICES].get(("c1", "web")) is not None


def test_another_way_to_write_an_address_is_no_change() -> None:
    catalog = Catalog().put(node("c1", "id-c1", "FD00:0::1"), PASSING)
    assert catalog.run(pool_of(client("c1", address="fd00::1"))) == []


def test_a_changed_name_renames_the_node() -> None:
    catalog = Catalog().put(node("old", "X", meta={"rack": "a"}), PASSING)
    catalog.run(pool_of(client("old", "X", status=FAILED), client("new", "X")))
    assert (catalog.nodes(), catalog.get("new").meta) == ({"new": "X"}, {"rack": "a"})
    catalog.run(pool_of(client("old", "X", status=LEFT), client("new", "X")))
    assert (catalog.nodes(), catalog.status("new")) == ({"new": "X"}, PASSING)


def test_names_that_were_exchanged() -> None:
    catalog = Catalog().put(node("a", "X"), PASSING).put(node("b", "Y"), PASSING)
    catalog.run(pool_of(client("a", "Y"), client("b", "X")))
    assert catalog.nodes() == {"a": "Y", "b": "X"}


def test_an_id_that_two_living_members_have_stays_with_the_registered_one() -> None:
    catalog = Catalog().put(node("c1", "X"), PASSING)
    conflict = "its node ID x belongs to the living member c1 (10.0.0.1)"
    for _ in range(2):
        assert catalog.run(pool_of(client("a-copy", "X"), client("c1", "X"))) == [Conflict("a-copy", conflict)]
    catalog.run(pool_of(client("a-copy", "X"), client("c1", "X", status=FAILED)))
    assert catalog.nodes() == {"a-copy": "X"}


def test_the_id_of_this_server_stays_with_it() -> None:
    catalog = Catalog()
    (conflict,) = catalog.run(pool_of(client("a-copy", "id-s1")))
    assert conflict == Conflict("a-copy", "its node ID id-s1 belongs to the living member s1 (10.0.0.1)")


def test_a_name_in_another_case_stays_with_the_registered_member() -> None:
    catalog = Catalog().put(node("web", "Y"), PASSING)
    operations = catalog.run(pool_of(client("WEB", "X"), client("web", "Y")))
    assert operations == [Conflict("WEB", "its name belongs to the living member web (10.0.0.1)")]


def test_a_newcomer_takes_the_name_of_a_failed_agent_without_its_services() -> None:
    catalog = Catalog().put(node("c1", "OLD", meta={"rack": "a"}), CRITICAL, "web")
    (operation,) = catalog.run(pool_of(client("c1", "NEW")))
    assert isinstance(operation, Register)
    assert operation.takes_name
    assert (catalog.nodes(), catalog.status("c1"), list(catalog.disk.store[SERVICES])) == ({"c1": "NEW"}, PASSING, [])
    assert "rack" not in (catalog.get("c1").meta or {})


def test_a_newcomer_takes_the_name_before_the_failure_reached_the_catalog() -> None:
    catalog = Catalog().put(node("c1", "OLD"), PASSING)
    catalog.run(pool_of(client("c1", "NEW")))
    assert catalog.nodes() == {"c1": "NEW"}


def test_an_agent_does_not_take_the_name_of_a_node_registered_by_hand() -> None:
    catalog = Catalog().put(node("db", "HAND", "10.1.1.1"), service="sql")
    reason = "its name belongs to node HAND (10.1.1.1), which was registered by hand"
    assert catalog.run(pool_of(client("db", "NEW"))) == [Conflict("db", reason)]


def test_an_agent_takes_over_a_node_registered_by_hand_without_id() -> None:
    catalog = Catalog().put(node("db", meta={"external-node": "true"}), service="sql")
    catalog.run(pool_of(client("db", "NEW")))
    assert (catalog.nodes(), catalog.get("db").meta) == ({"db": "NEW"}, {"external-node": "true"})


def test_nodes_registered_by_hand_stay_whatever_happens_to_members_of_their_name() -> None:
    catalog = Catalog().put(node("db", "HAND"), service="sql").put(node("ext"), PASSING)
    before = sorted(catalog.nodes())
    for status in (LEFT, FAILED, LEAVING):
        assert catalog.run(pool_of(client("db", "X", status=status))) == []
    age = dict.fromkeys(before, 1e9)
    assert (catalog.run(pool_of(), unknown_for_s=age), sorted(catalog.nodes())) == ([], before)


def test_an_agents_node_without_a_member_fails_after_a_while_and_is_removed_at_last() -> None:
    catalog = Catalog().put(node("c1", "X"), PASSING)
    assert unknown_agents(pool_of(), catalog.disk.store) == ["c1"]

    def run(seconds: float) -> list[Operation]:
        return catalog.run(pool_of(), unknown_for_s={"c1": seconds}, remove_unknown_after_s=1000.0)

    assert run(0.0) == []
    assert run(UNKNOWN_GRACE_S - 1) == []
    assert run(UNKNOWN_GRACE_S) == [MarkFailed("c1", "no member for 55 s")]
    assert run(999.0) == []
    assert run(1000.0) == [Deregister("c1", "no member for 1000 s")]


def test_a_name_with_a_line_break_is_no_node() -> None:
    (conflict,) = Catalog().run(pool_of(client("a\nserver evil", "X")))
    assert isinstance(conflict, Conflict)
    assert conflict.reason.startswith("its name: control character U+000A at position 1 is not allowed")


def test_only_the_named_members_are_looked_at() -> None:
    catalog = Catalog()
    catalog.run(pool_of(client("a"), client("b"), client("c")), names={"b", "nobody"})
    assert catalog.nodes() == {"b": "id-b"}


NAMES = st.sampled_from(["a", "A", "b", "c", "s1"])
IDS = st.sampled_from(["", "X", "x", "Y", "Z", "id-s1"])
STATUSES = st.sampled_from([ALIVE, LEAVING, LEFT, FAILED])


@st.composite
def members(draw: st.DrawFn) -> list[Member]:
    """Members with any names (each once), IDs and statuses."""
    return [
        (server if draw(st.booleans()) else client)(
            name,
            draw(IDS.filter(bool)),
            address=draw(st.sampled_from(["10.0.0.1", "10.0.0.2"])),
            status=draw(STATUSES),
        )
        for name in sorted(draw(st.sets(NAMES, max_size=4)) - {"s1"})
    ]


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """Return a catalog with any nodes."""
    catalog = Catalog()
    taken: set[str] = set()
    for name in sorted({name.lower() for name in draw(st.sets(NAMES))}):
        node_id = draw(IDS)
        if node_id.lower() in taken:
            node_id = ""
        taken.add(node_id.lower())
        serf = draw(st.sampled_from(["", PASSING, CRITICAL]))
        catalog.put(node(name, node_id), serf, draw(st.sampled_from(["", "web"])))
    return catalog


@given(catalogs(), members(), st.sets(IDS.filter(bool), max_size=2))
def test_reconciling_comes_to_an_end_and_nothing_is_refused(
    catalog: Catalog, found: list[Member], departed: set[str]
) -> None:
    before = {row.node: row for row in catalog.disk.store[NODES]}
    serf = {name: catalog.status(name) for name in before}
    pool = pool_of(*found, departed={one.lower() for one in departed})
    operations = catalog.run(pool, rounds=3)
    after = {row.node: row for row in catalog.disk.store[NODES]}
    refused = {one.member for one in operations if isinstance(one, Conflict)}
    names = {one.name.lower() for one in found if one.status is ALIVE}
    for one in found:
        if one.status is ALIVE and one.name not in refused and one.name.lower() != "s1":
            assert catalog.status(one.name) == PASSING
            assert (after[one.name].address, after[one.name].id) == (one.address, one.tags["id"])
    own_ids = {one.tags["id"].lower() for one in found} | pool.gone_ids
    for name, row in before.items():
        is_hand_made = not serf[name] and row.id.lower() not in own_ids
        if name == "s1" or (is_hand_made and name not in names):
            assert after.get(name) == row, "a node without a member was changed"
    for row in after.values():
        if row.node != "s1":
            assert row.id.lower() not in pool.gone_ids, "a ghost"
