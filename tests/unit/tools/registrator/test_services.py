"""The services of a container: names, IDs, tags, addresses, metadata, checks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.containers import RULES, container

from pyconsul.tools.registrator.desired.containers import Container
from pyconsul.tools.registrator.desired.ports import AddressRules
from pyconsul.tools.registrator.desired.services import Outcome, Rules, services_of, split_tags
from pyconsul.tools.registrator.desired.templates import parse_go_template, parse_template


def no_fetch(url: str) -> str:
    raise OSError("no network")


def outcome(one: Container, rules: Rules = RULES, *others: Container) -> Outcome:
    return services_of(one, rules, {key: other for other in others for key in (other.id, other.name)})


def shown(one: Container, rules: Rules = RULES, *others: Container) -> list[tuple[str, str, str, int]]:
    """Return ID, name, address and port of each service."""
    found = outcome(one, rules, *others).services
    return [(s.id, s.name, s.body["Address"], s.body["Port"]) for s in found]


def meta(one: Container) -> dict[str, str]:
    found = outcome(one).services[0].body["Meta"]
    return {key: value for key, value in found.items() if not key.startswith("registrator-")}


def addressed(**fields: Any) -> Rules:
    return replace(RULES, addresses=AddressRules(host_ipv4="10.0.0.9", host_ipv6="fd00::9", **fields))


def test_one_published_port() -> None:
    assert shown(container(ports=["0.0.0.0:8080:80"])) == [("box:web:80", "app", "10.0.0.1", 8080)]


def test_several_ports_have_the_port_in_their_names() -> None:
    one = container(ports=["0.0.0.0:8080:80", "0.0.0.0:5353:53/udp", "0.0.0.0:5353:53"])
    assert [(row[0], row[1]) for row in shown(one)] == [
        ("box:web:53", "app-53"),
        ("box:web:53:udp", "app-53"),
        ("box:web:80", "app-80"),
    ]
    assert [service.body["Tags"] for service in outcome(one).services] == [[], ["udp"], []]


def test_a_port_that_is_published_twice_is_two_services() -> None:
    one = container(ports=["127.0.0.1:8080:80", "127.0.0.1:8081:80"])
    assert shown(one, addressed()) == [
        ("box:web:80", "app", "127.0.0.1", 8080),
        ("box:web:80@127.0.0.1:8081", "app", "127.0.0.1", 8081),
    ]


def test_the_ipv6_twin_of_a_port_is_no_service() -> None:
    one = container(ports=["0.0.0.0:8080:80", "[::]:8080:80"])
    assert shown(one, addressed()) == [("box:web:80", "app", "10.0.0.9", 8080)]
    random = container(ports=["0.0.0.0:32770:80", "[::]:32769:80"])  # the engine has drawn two ports
    assert shown(random, addressed()) == [("box:web:80", "app", "10.0.0.9", 32770)]
    assert shown(random, addressed(prefer_ipv6=True)) == [("box:web:80", "app", "fd00::9", 32769)]
    assert shown(random, addressed(ip="fd00::5")) == [("box:web:80", "app", "fd00::5", 32769)]
    assert shown(container(ports=["[::]:8080:80"]), addressed()) == [("box:web:80", "app", "fd00::9", 8080)]


@pytest.mark.parametrize(
    ("image", "name"),
    [("localhost:5000/team/shop:2.1", "shop"), ("shop@sha256:abc", "shop@sha256"), ("sha256:abc", "sha256")],
)
def test_the_name_is_the_image_s(image: str, name: str) -> None:
    assert shown(container(image=image, ports=["0.0.0.0:8080:80"]))[0][1] == name


def test_names_of_settings() -> None:
    both = ["0.0.0.0:8080:80", "0.0.0.0:8443:443"]
    assert [row[1] for row in shown(container(ports=both, env=["SERVICE_NAME=shop"]))] == ["shop-80", "shop-443"]
    assert [row[1] for row in shown(container(ports=both, env=["SERVICE_443_NAME=tls"]))] == ["app-80", "tls"]
    assert shown(container(ports=both[:1], env=["SERVICE_NAME="]))[0][1] == "app"


def test_labels_beat_variables_and_ports_beat_both() -> None:
    env = ["SERVICE_80_ZONE=port-env", "SERVICE_RACK=env", "SERVICE_ROW=env"]
    labels = {"SERVICE_ZONE": "label", "SERVICE_RACK": "label", "SERVICE_80_SHELF": "port-label"}
    one = container(ports=["0.0.0.0:8080:80"], env=env, labels=labels)
    assert meta(one) == {"zone": "port-env", "rack": "label", "row": "env", "shelf": "port-label"}


def test_metadata_that_consul_refuses_is_left_out_with_a_warning() -> None:
    labels = {"SERVICE_some.key": "x", "SERVICE_": "x", "SERVICE_LONG": "secret" * 200, "SERVICE_OK": "yes"}
    one = container(ports=["0.0.0.0:8080:80"], labels=labels)
    assert meta(one) == {"ok": "yes"}
    warnings = outcome(one).warnings
    assert any(warning.startswith("SERVICE_some.key: allowed in keys are letters") for warning in warnings)
    assert any(warning.startswith("SERVICE_LONG: a value has at most 512 bytes") for warning in warnings)
    assert "secret" not in "".join(warnings)


def test_more_metadata_than_consul_takes() -> None:
    one = container(ports=["0.0.0.0:8080:80"], env=[f"SERVICE_K{number:02}=x" for number in range(70)])
    assert len(outcome(one).services[0].body["Meta"]) == 64
    assert sum("more than 61 keys" in warning for warning in outcome(one).warnings) == 9


def test_settings_for_ports_that_are_not_there() -> None:
    one = container(ports=["0.0.0.0:8080:80"], env=["SERVICE_81_NAME=x", "SERVICE_CHECK_FTP=x"])
    assert outcome(one).warnings == (
        "SERVICE_81_NAME: the container has no port 81; its ports are 80",
        "SERVICE_CHECK_FTP: unknown check setting; did you mean check_tcp? (allowed: CHECK_HTTP, CHECK_HTTPS, CHECK_CMD, "
        "CHECK_SCRIPT, CHECK_TTL, CHECK_TCP, CHECK_GRPC, CHECK_INTERVAL, CHECK_TIMEOUT, CHECK_INITIAL_STATUS, "
        "CHECK_DEREGISTER_AFTER, CHECK_HTTP_METHOD, CHECK_HTTPS_METHOD, CHECK_GRPC_USE_TLS, CHECK_TLS_SKIP_VERIFY)",
    )


def test_ignored_and_explicit() -> None:
    one = container(ports=["0.0.0.0:8080:80"], env=["SERVICE_IGNORE=false"])
    assert outcome(one).reasons == ("port 80/tcp: SERVICE_IGNORE is set",)
    explicit = replace(RULES, explicit=True)
    assert outcome(container(ports=["0.0.0.0:8080:80"]), explicit).reasons == (
        "port 80/tcp: -explicit wants SERVICE_NAME or SERVICE_80_NAME",
    )
    assert shown(container(ports=["0.0.0.0:8080:80"], labels={"SERVICE_NAME": "x"}), explicit)[0][1] == "x"


def test_two_ports_with_one_id() -> None:
    one = container(ports=["0.0.0.0:8080:80", "0.0.0.0:8443:443"], env=["SERVICE_ID=mine"])
    assert [row[0] for row in shown(one)] == ["mine", "box:web:443"]
    assert "SERVICE_ID: the ID 'mine' is that of another port; the default ID is used" in outcome(one).warnings


def test_tags() -> None:
    assert split_tags(",a, b,,c\\,d,a\\b,a,") == ["a", " b", "c,d", "a\\b", "a"]
    tags = parse_go_template("-tags", "f1,{{.Config.Labels.team}}", no_fetch)
    more = parse_template("-tags-template", "{{ labels.team }},{{ port }}", no_fetch)
    labels = {"team": "blue", "com.docker.compose.project": "shop", "com.docker.compose.service": "api"}
    rules = replace(RULES, tags=tags, more_tags=more, compose_tags=True)
    one = container(ports=["0.0.0.0:53:53/udp"], labels=labels, env=["SERVICE_TAGS=a,b"])
    (service,) = outcome(one, rules).services
    assert service.body["Tags"] == ["b", "a", "blue", "f1", "blue", "53", "project-shop", "service-api", "udp"]


def test_a_template_that_fails_leaves_its_tags_out() -> None:
    rules = replace(RULES, tags=parse_go_template("-tags", "{{.Nonsense}}", no_fetch))
    found = outcome(container(ports=["0.0.0.0:8080:80"]), rules)
    assert found.services[0].body["Tags"] == []
    (warning,) = found.warnings
    assert "Nonsense" in warning
    assert warning.endswith("these tags are left out")


@pytest.mark.parametrize(
    ("text", "name"),
    [("{{ project }}-{{ name }}", "shop-app"), ('{{index .Config.Labels "team"}}', "blue"), ("{{ nothing }}", "app")],
)
def test_names_by_template(text: str, name: str) -> None:
    rules = replace(RULES, name=parse_template("-name-template", text, no_fetch))
    labels = {"com.docker.compose.project": "shop", "team": "blue"}
    assert shown(container(ports=["0.0.0.0:8080:80"], labels=labels), rules)[0][1] == name
    given = container(ports=["0.0.0.0:8080:80"], labels=labels, env=["SERVICE_NAME=given"])
    assert shown(given, rules)[0][1] == "given"


def test_ownership_and_digest_are_in_the_metadata() -> None:
    one = container(ports=["0.0.0.0:8080:80"], health="healthy")
    (service,) = outcome(one).services
    assert service.body["Meta"]["registrator-container"] == one.id
    assert service.body["Meta"]["registrator-engine"] == RULES.engine
    (sick,) = outcome(container(ports=["0.0.0.0:8080:80"], health="unhealthy")).services
    assert sick.digest == service.digest  # the status of HEALTHCHECK does not make it register again
    (other,) = outcome(container(ports=["0.0.0.0:8080:80"], env=["SERVICE_CHECK_TCP=1"])).services
    assert other.digest != service.digest


@pytest.mark.parametrize(
    ("health", "status"), [("healthy", "passing"), ("unhealthy", "critical"), ("starting", "critical")]
)
def test_healthcheck_is_a_ttl_check(health: str, status: str) -> None:
    one = container(ports=["0.0.0.0:8080:80"], health=health, output="it said\n")
    (service,) = outcome(one).services
    (beat,) = service.beats
    assert (beat.check_id, beat.status) == ("service:box:web:80:healthcheck", status)
    assert beat.output == f"HEALTHCHECK: {health}\nit said"
    assert service.body["Checks"][0]["Status"] == status
    (without,) = outcome(one, replace(RULES, health=False)).services
    assert without.body["Checks"] == []


def test_the_ttl_of_registrator_itself() -> None:
    (service,) = outcome(container(ports=["0.0.0.0:8080:80"]), replace(RULES, ttl_s=30)).services
    assert service.body["Checks"] == [
        {
            "CheckID": "service:box:web:80:registrator",
            "Name": "pyconsul registrator",
            "TTL": "30s",
            "Status": "passing",
        }
    ]


def test_control_characters_are_left_out_when_the_agent_refuses_them() -> None:
    env = ["SERVICE_NAME=shop\r", "SERVICE_TAGS=a\r,b", "SERVICE_REGION=no\nrth", "SERVICE_CHECK_HTTP=/x\r"]
    one = container(ports=["0.0.0.0:8080:80"], env=env)
    (service,) = outcome(one).services
    assert (service.name, service.body["Tags"]) == ("shop\r", ["b", "a\r"])
    mended = service.fallback
    assert mended is not None
    assert (mended.id, mended.name, mended.body["Tags"]) == (service.id, "shop", ["b", "a"])
    assert mended.body["Meta"]["region"] == "north"
    assert mended.body["Checks"][0]["HTTP"] == "http://10.0.0.1:8080/x"
    assert "SERVICE_NAME: control characters are not allowed; they are left out" in outcome(one).warnings


@pytest.mark.parametrize("given", ["../../kv/x", "a//b", "/a", "..", ".", "a/./b"])
def test_an_id_that_could_not_be_removed_is_not_used(given: str) -> None:
    one = container(ports=["0.0.0.0:8080:80"], env=[f"SERVICE_ID={given}"])
    assert shown(one)[0][0] == "box:web:80"
    (warning,) = outcome(one).warnings
    assert warning.startswith(f"SERVICE_ID={given}: an ID is a part of URLs")


@pytest.mark.parametrize("given", ["dns 1/a", "a/", "..a", "x?y#%2f"])
def test_odd_ids_are_used(given: str) -> None:
    one = container(ports=["0.0.0.0:8080:80"], env=[f"SERVICE_ID={given}"])
    assert (shown(one)[0][0], outcome(one).warnings) == (given, ())
