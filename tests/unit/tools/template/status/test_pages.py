"""The status pages, out of reports."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from pyconsul.agent.common.structs import replace
from pyconsul.tools.pages.address import Address, parse_address
from pyconsul.tools.pages.contract import HTML, JSON, Call, Page, query_of
from pyconsul.tools.template.feed.share_id import Sharing
from pyconsul.tools.template.options.status import STATUS_OPTIONS
from pyconsul.tools.template.report.counters import Counters, Event
from pyconsul.tools.template.report.run_report import RunReport
from pyconsul.tools.template.status.pages import Pages


class Site:
    """Pages over a report; what was released."""

    def __init__(self, report: RunReport) -> None:
        self.counters = Counters()
        self.released: list[tuple[str, str]] = []
        self._pages = Pages(lambda: report, self.counters, self._release)

    def _release(self, service: str, destination: str) -> int:
        self.released.append((service, destination))
        return int(service == "api")

    def get(self, path: str, accept: str = "*/*", method: str = "GET", **headers: str) -> Page:
        path, _, query = path.partition("?")
        page = self._pages.answer(Call(method, path, query_of(query), {"accept": accept, **headers}))
        assert b"hunter2" not in page.body
        return page

    def json(self, path: str, method: str = "GET") -> tuple[int, Any]:
        page = self.get(path, method=method)
        assert page.content_type == JSON
        return page.status, json.loads(page.body)

    def numbers(self, accept: str = "") -> dict[tuple[str, str], float]:
        page = self.get("/metrics", accept)
        parse: Any = parse_openmetrics if "openmetrics" in page.content_type else text_string_to_metric_families
        found = {}
        for family in parse(page.body.decode()):
            assert family.documentation
            for sample in family.samples:
                key = sample.name, ",".join(sample.labels.values())
                assert key not in found
                found[key] = sample.value
        return found


def test_health_is_well_even_when_consul_is_not(well: RunReport, badly: RunReport) -> None:
    status, body = Site(well).json("/health")
    assert (status, body["status"], body["degraded"]) == (200, "ok", [])
    assert body["consul"] == {"address": "http://127.0.0.1:8500", "reachable": True, "data_age": 2.3}
    status, body = Site(badly).json("/health")
    assert (status, body["status"]) == (200, "degraded")
    assert body["degraded"] == [
        "Consul does not answer; the last data stay in use",
        "/etc/db.conf: waiting: key app/db, service db",
        "/etc/lb.cfg: pending: line 3: unknown word ****\nline 4: the same",
        "/etc/lb.cfg: held: service api: 0 instances instead of 4",
    ]


def test_ready_names_missing_lookups(well: RunReport, badly: RunReport) -> None:
    assert Site(well).json("/ready") == (200, {"ready": True, "waiting": [], "degraded": []})
    status, body = Site(badly).json("/ready/")
    assert status == 503
    (waiting,) = body["waiting"]
    assert waiting["destination"] == "/etc/db.conf"
    assert waiting["missing"] == ["key app/db", "service db"]


def test_explain_for_programs(badly: RunReport) -> None:
    status, body = Site(badly).json("/explain")
    assert status == 200
    web, db, lb = body["templates"]
    assert web["rendered"] == "2023-11-14T22:13:20.500Z"
    assert web["changes"] == ["service web: -10.0.0.3:8080"]
    assert (db["state"], db["missing"], db["group"], db["rendered"]) == (
        "waiting",
        ["key app/db", "service db"],
        "apps",
        None,
    )
    assert (lb["retry_in"], lb["trouble"]) == (4.2, "line 3: unknown word ****\nline 4: the same")


@pytest.mark.parametrize("accept", ["text/plain", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_explain_for_people(badly: RunReport, accept: str) -> None:
    page = Site(badly).get("/explain", accept)
    assert page.content_type.startswith("text/plain")
    assert page.body.decode().splitlines()[1:] == [
        "Consul http://127.0.0.1:8500 does not answer; 5 lookups; running for 1m40s",
        "",
        "web.j2 → /etc/web.conf: current",
        "  rendered 2023-11-14T22:13:20.500Z",
        "  changed:  service web: -10.0.0.3:8080",
        "",
        "db.j2 → /etc/db.conf (group apps): waiting",
        "  missing:  key app/db",
        "            service db",
        "",
        "lb.j2 → /etc/lb.cfg: pending",
        "  trouble:  line 3: unknown word ****",
        "            line 4: the same",
        "  tried again in 4s",
        "  held:     service api: 0 instances instead of 4",
        "  rendered 2023-11-14T22:15:00.000Z",
    ]


def test_the_roles_of_shared_templates(well: RunReport) -> None:
    (template,) = well.templates
    site = Site(replace(well, templates=(replace(template, dedup=Sharing("follower", "follows web1")),)))
    shared = site.json("/explain?format=json")[1]["templates"][0]["dedup"]
    assert (shared["role"], shared["text"]) == ("follower", "follows web1")
    assert "  dedup:    follows web1\n" in site.get("/explain?format=text").body.decode()
    assert site.numbers()["pyconsul_template_template_dedup", "/etc/web.conf,follower"] == 1.0
    assert Site(well).json("/explain?format=json")[1]["templates"][0]["dedup"] is None


def follower(report: RunReport, *, silent: bool) -> RunReport:
    """Two files that follow the same leader."""
    sharing = Sharing("follower", "follows web1", "web1", silence=20.44, data_age=21.04, silent=silent)
    (template,) = report.templates
    other = replace(template, destination="/etc/other.conf", dedup=sharing)
    return replace(report, templates=(replace(template, dedup=sharing), other))


def test_a_silent_leader(well: RunReport) -> None:
    site = Site(follower(well, silent=True))
    told = ["leader web1 silent for 20s; its data stay in use"]
    assert site.json("/ready") == (200, {"ready": True, "waiting": [], "degraded": told}), "the file can be used"
    status, health = site.json("/health")
    assert (status, health["status"], health["degraded"]) == (200, "degraded", told)
    shared = site.json("/explain?format=json")[1]["templates"][0]["dedup"]
    assert shared == {
        "role": "follower",
        "text": "follows web1",
        "leader": "web1",
        "leader_silence": 20.4,
        "leader_silent": True,
        "data_age": 21.0,
    }
    text = site.get("/explain?format=text").body.decode()
    assert text.startswith("2 templates current; leader web1 silent for 20s; data 2s old\n")
    lines = "  dedup:    follows web1\n            leader silent: last sign of life 20s ago\n            shared data 21s old\n"
    assert lines in text
    numbers = site.numbers()
    assert numbers["pyconsul_template_dedup_leader_silent", "/etc/web.conf"] == 1.0
    assert numbers["pyconsul_template_dedup_leader_silence_seconds", "/etc/other.conf"] == 20.44
    assert numbers["pyconsul_template_dedup_data_age_seconds", "/etc/web.conf"] == 21.04


def test_a_leader_that_is_not_silent(well: RunReport) -> None:
    site = Site(follower(well, silent=False))
    assert site.json("/ready")[1]["degraded"] == []
    assert site.json("/health")[1]["status"] == "ok"
    assert "            last sign of life 20s ago\n" in site.get("/explain?format=text").body.decode()
    assert "silent" not in site.get("/").body.decode()
    assert site.numbers()["pyconsul_template_dedup_leader_silent", "/etc/web.conf"] == 0.0


def test_the_format_can_be_chosen(well: RunReport) -> None:
    site = Site(well)
    assert site.get("/explain?format=text").content_type.startswith("text/plain")
    assert site.get("/explain?format=json", "text/html").content_type == JSON
    assert site.json("/explain?format=xml") == (400, {"error": "unknown format 'xml': use json or text"})


def test_metrics(badly: RunReport) -> None:
    site = Site(badly)
    site.counters.count(Event.RENDERED, "/etc/web.conf", 3)
    site.counters.count(Event.RELOADED, "mysql -phunter2 reload")
    site.counters.count(Event.RELOADED, "/usr/bin/mysql -psecret")
    site.counters.count(Event.RELOADED, "sh -c 'unfinished")
    site.counters.count(Event.HELD, "api")
    for accept in ("", "application/openmetrics-text; version=1.0.0"):
        numbers = site.numbers(accept)
        assert numbers["pyconsul_template_renders_total", "/etc/web.conf"] == 3
        assert numbers["pyconsul_template_renders_total", "/etc/db.conf"] == 0
        assert numbers["pyconsul_template_reloads_total", "mysql"] == 2
        assert numbers["pyconsul_template_guard_holds_total", "api"] == 1
        assert numbers["pyconsul_template_templates", "pending"] == 1
        assert numbers["pyconsul_template_templates", "failed"] == 0
        assert numbers["pyconsul_template_template_trouble", "/etc/lb.cfg"] == 1
        assert numbers["pyconsul_template_template_missing_lookups", "/etc/db.conf"] == 2
        assert numbers["pyconsul_template_template_held", "/etc/lb.cfg"] == 1
        assert numbers["pyconsul_template_last_render_timestamp_seconds", "/etc/web.conf"] == 1_700_000_000.5
        assert ("pyconsul_template_last_render_timestamp_seconds", "/etc/db.conf") not in numbers
        assert numbers["pyconsul_template_data_age_seconds", ""] == 75
        assert numbers["pyconsul_template_consul_up", ""] == 0
        assert numbers["pyconsul_template_ready", ""] == 0
        assert numbers["process_resident_memory_bytes", ""] > 0


def test_every_event_has_its_counter(well: RunReport) -> None:
    site = Site(well)
    for event in Event:
        site.counters.count(event, "x")
    numbers = site.numbers()
    for event in Event:
        assert numbers[f"pyconsul_template_{event.value}_total", "x"] == 1


def test_holds_are_released(badly: RunReport) -> None:
    site = Site(badly)
    assert site.json("/release?service=api", "PUT") == (200, {"released": 1})
    assert site.json("/release?service=api&template=lb.j2", "PUT") == (200, {"released": 1})
    assert site.json("/release?service=web&template=/etc/lb.cfg", "PUT")[0] == 404
    assert site.released == [("api", ""), ("api", "/etc/lb.cfg"), ("web", "/etc/lb.cfg")]


def test_holds_are_not_released_by_mistake(badly: RunReport) -> None:
    site = Site(badly)
    assert site.json("/release", "PUT")[0] == 400
    status, body = site.json("/release?service=api&template=none", "PUT")
    assert status == 404
    assert "/etc/lb.cfg" in body["error"]
    page = site.get("/release?service=api", method="GET")
    assert (page.status, page.allow) == (405, "PUT")
    assert site.get("/release?service=api", method="PUT", origin="http://evil.example").status == 403
    assert site.released == []


def test_the_index_lists_the_pages(badly: RunReport) -> None:
    site = Site(badly)
    text = site.get("/").body.decode()
    assert "1 of 3 waiting" in text
    page = site.get("/", "text/html")
    assert page.content_type == HTML
    for path in ("/health", "/ready", "/metrics", "/explain", "/release"):
        assert path in text
        assert f'href="{path}"'.encode() in page.body


def test_other_pages_and_methods(well: RunReport) -> None:
    site = Site(well)
    assert site.get("/nothing").status == 404
    assert site.get("/health", method="POST").status == 405
    assert site.get("/health", method="HEAD").status == 200


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9105", Address(host="127.0.0.1", port=9105)),
        ("localhost:0", Address(host="localhost")),
        ("[::1]:9105", Address(host="::1", port=9105)),
        (":9105", Address(port=9105)),
        ("9105", Address(host="127.0.0.1", port=9105)),
        ("http://127.0.0.1:9105/", Address(host="127.0.0.1", port=9105)),
        ("unix:///run/status", Address(path="/run/status")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["localhost", "h:http", "h:70000", "h:-1", "::1:80", "unix://run", "h:²"])
def test_bad_addresses(text: str) -> None:
    (option,) = STATUS_OPTIONS
    with pytest.raises(ValueError, match="invalid address"):
        option.kind.convert(text)
