"""Prepared queries at work: found by name, filled in, and executed on a small catalog."""

from __future__ import annotations

import random

import pytest

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.coordinate import ORIGIN, Coordinate, NodeCoordinate
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.query import NAME_PREFIX_MATCH, PreparedQuery, ServiceQuery, Template
from pyconsul.agent.model.service import NodeService, Weights
from pyconsul.agent.queries.execute import Asker, execute, resolve
from pyconsul.agent.queries.template import check_template, render
from pyconsul.agent.state import queries
from pyconsul.agent.state.catalog import checks, coordinates, nodes, services
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

ME = Asker("a")


def instance(txn: WriteTxn, node: str, address: str, tags: list[str], status: str, env: str) -> None:
    nodes.ensure_node(txn, Node("", node, address, "dc1", None, {"env": env}, 0, 0))
    service = NodeService(
        id="web", service="web", tags=tags, address="", meta={"v": tags[0]}, weights=Weights(), enable_tag_override=False,
        create_index=0, modify_index=0,
    )  # fmt: skip
    services.ensure_service(txn, node, service)
    check = HealthCheck(node, "web", "w", status, "", "", "web", "", None, "", "", "", {}, 0, 0)
    checks.ensure_check(txn, check)


@pytest.fixture
def catalog() -> WriteTxn:
    txn = WriteTxn(Store())
    txn.begin(1, 0.0)
    instance(txn, "a", "10.0.0.1", ["v1", "Blue"], "passing", "prod")
    instance(txn, "b", "10.0.0.2", ["v1", "old"], "warning", "test")
    instance(txn, "c", "10.0.0.3", ["v2"], "critical", "prod")
    return txn


def found(txn: WriteTxn, service: ServiceQuery, asker: Asker = ME) -> list[str]:
    query = PreparedQuery(id="q", name="q", service=service)
    return [one.node.node for one in execute(txn, query, asker, random.Random(1).random)]


@pytest.mark.parametrize(
    ("service", "names"),
    [
        (ServiceQuery("web"), "ab"),
        (ServiceQuery("WEB"), "ab"),
        (ServiceQuery("none"), ""),
        (ServiceQuery("web", only_passing=True), "a"),
        (ServiceQuery("web", ignore_check_ids=["web"]), "abc"),
        (ServiceQuery("web", tags=["V1"]), "ab"),
        (ServiceQuery("web", tags=["v1", "!BLUE"]), "b"),
        (ServiceQuery("web", tags=[""]), ""),
        (ServiceQuery("web", node_meta={"env": "prod"}), "a"),
        (ServiceQuery("web", service_meta={"v": "v1"}, node_meta={"env": "test"}), "b"),
        (ServiceQuery("web", connect=True), ""),
    ],
)
def test_instances_that_a_query_allows(catalog: WriteTxn, service: ServiceQuery, names: str) -> None:
    assert sorted(found(catalog, service)) == list(names)


def test_the_node_itself_comes_first_even_without_coordinates(catalog: WriteTxn) -> None:
    everything = ServiceQuery("web", ignore_check_ids=["web"])
    for near in "abc":
        assert found(catalog, everything, Asker("a", near=near))[0] == near
    assert found(catalog, ServiceQuery("web", near="_agent"), Asker("b"))[0] == "b"
    assert found(catalog, ServiceQuery("web", near="_ip"), Asker("a", address="10.0.0.2"))[0] == "b"


def test_by_distance(catalog: WriteTxn) -> None:
    for node, place in (("a", 0.0), ("b", 0.5), ("c", 0.1)):
        coordinate = Coordinate([place] + [0.0] * 7, 1.5, 0.0, ORIGIN.height)
        coordinates.set_coordinate(catalog, NodeCoordinate(node, "", coordinate))
    everything = ServiceQuery("web", ignore_check_ids=["web"])
    assert found(catalog, everything, Asker("a", near="a")) == ["a", "c", "b"]
    assert found(catalog, everything, Asker("a", near="b")) == ["b", "c", "a"]


def template(name: str, service: ServiceQuery, regexp: str = "", drop: bool = False) -> PreparedQuery:
    return PreparedQuery(id=name, name=name, service=service, template=Template(NAME_PREFIX_MATCH, regexp, drop))


def test_a_template_fills_every_text_of_the_service() -> None:
    service = ServiceQuery(
        "${match(1)}", tags=["${match(2)}", ""], node_meta={"dc": "${name.suffix}"}, near="${name.prefix}"
    )
    made = render(template("geo-", service, r"^geo-(.*?)-([^\-]+?)$", drop=True), "geo-web-")
    assert made.service == ServiceQuery("", tags=[], node_meta={"dc": "web-"}, near="geo-")
    made = render(template("geo-", service, r"^geo-(.*?)-([^\-]+?)$", drop=True), "geo-web-blue")
    assert made.service == ServiceQuery("web", tags=["blue"], node_meta={"dc": "web-blue"}, near="geo-")


def test_the_longest_template_answers_and_ids_do_not(catalog: WriteTxn) -> None:
    ids = {name: f"{number}" * 8 + "-1111-1111-1111-111111111111" for number, name in enumerate(["", "geo", "geo-db"])}
    for name, query_id in ids.items():
        made = PreparedQuery(
            id=query_id, name=name, service=ServiceQuery("${name.full}"), template=Template(NAME_PREFIX_MATCH)
        )
        queries.set_query(catalog, made, check_template)
    answers = {asked: resolve(catalog, asked) for asked in ("x", "geo", "GEO-x", "geo-dbs")}
    assert {asked: query.name for asked, query in answers.items() if query} == {
        "x": "", "geo": "geo", "GEO-x": "geo", "geo-dbs": "geo-db",
    }  # fmt: skip
    with pytest.raises(Refused, match="only be resolved up by name"):
        resolve(catalog, ids["geo"])
    with pytest.raises(Refused, match="Missing Query ID"):
        resolve(catalog, "")


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        (PreparedQuery(id="t", name="t", template=Template("nonsense")), "Bad Template.Type 'nonsense'"),
        (template("t", ServiceQuery("${x")), "Bad format '${x' in Service.Service: parse error at 1:4"),
        (template("t", ServiceQuery("a", tags=["b", "${x}"])), "Bad evaluation for '${x}' in Service.Tags[1]: 1:3"),
        (template("t", ServiceQuery("a", node_meta={"k": "${"})), "in Service.NodeMeta[k]"),
        (template("t", ServiceQuery("a"), "("), "Bad Regexp: error parsing regexp: missing closing ): `(`"),
    ],
)
def test_bad_templates_are_refused(query: PreparedQuery, refusal: str) -> None:
    with pytest.raises(Refused) as caught:
        check_template(query)
    assert str(caught.value).startswith("failed compiling template: ")
    assert refusal in str(caught.value)


def test_a_template_that_names_a_long_match_many_times_is_refused() -> None:
    grows = template("geo-", ServiceQuery("${match(0)}" * 100, tags=["${name.full}" * 100] * 10), "^(.*)$")
    assert len(render(grows, "geo-" + "x" * 20).service.tags or ()) == 10
    for length in (100, 10_000):  # by all texts together, and by one
        with pytest.raises(Refused, match="the rendered query is too long"):
            render(grows, "geo-" + "x" * length)
