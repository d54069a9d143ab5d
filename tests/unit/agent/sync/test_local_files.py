"""The files of local registrations: Consul's form, which both agents read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.health.decode import decode_check as decode_api_check
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.service import ServiceAddress, Weights
from pyconsul.agent.sync import local_files
from pyconsul.agent.sync.checks import maintenance_check, own_check
from pyconsul.agent.sync.definition import node_service
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow, TTLReport

TEXT = st.text(max_size=20)
SERVICES = st.builds(
    ServiceRow,
    st.builds(
        node_service,
        st.text(min_size=1, max_size=20),
        id=TEXT,
        tags=st.lists(TEXT, max_size=3),
        address=TEXT,
        port=st.integers(0, 65535),
        meta=st.none() | st.dictionaries(TEXT, TEXT, max_size=3),
        weights=st.builds(Weights, st.integers(1, 9), st.integers(0, 9)),
        enable_tag_override=st.booleans(),
        tagged_addresses=st.dictionaries(TEXT, st.builds(ServiceAddress, TEXT, st.integers(0, 65535)), max_size=2),
        socket_path=TEXT,
    ),
    TEXT,
)
DEFINITIONS = st.builds(
    CheckDefinition,
    id=st.just("c"),
    name=TEXT,
    notes=TEXT,
    service_id=TEXT,
    script_args=st.lists(TEXT, max_size=3),
    http=TEXT,
    header=st.dictionaries(TEXT, st.lists(TEXT, max_size=2), max_size=2),
    tls_skip_verify=st.booleans(),
    h2ping=TEXT,
    h2ping_use_tls=st.just(True),
    os_service=TEXT,
    ttl=st.integers(0, 2**62),
    interval=st.integers(0, 2**62),
    failures_before_critical=st.integers(0, 9),
    deregister_critical_service_after=st.integers(0, 2**62),
)


@given(SERVICES)
def test_a_service_is_read_as_it_was_written(row: ServiceRow) -> None:
    assert local_files.decode_service(local_files.encode_service(row)) == row


@given(DEFINITIONS, TEXT)
def test_a_check_is_read_as_it_was_written(definition: CheckDefinition, token: str) -> None:
    owner = node_service("web", id=definition.service_id) if definition.service_id else None
    row = CheckRow(own_check("n1", definition, owner, typed=True), definition, token)
    assert local_files.decode_check(local_files.encode_check(row)) == row


def test_maintenance_has_no_type() -> None:
    row = CheckRow(maintenance_check("n1", None, "disk"), None, "secret")
    data = local_files.encode_check(row)
    assert json.loads(data)["ChkType"] is None
    assert local_files.decode_check(data) == row


@given(TEXT, TEXT, st.integers(0, 2**40))
def test_a_report_is_read_as_it_was_written(check_id: str, output: str, expires: int) -> None:
    row = TTLReport(check_id, "warning", output, float(expires))
    data = local_files.encode_report(row)
    assert local_files.decode_report(data) == row
    assert isinstance(json.loads(data)["Expires"], int), "Consul reads whole seconds only"


def test_files_of_consul_are_read() -> None:
    service = {
        "Token": "", "Source": "remote", "LocallyRegisteredAsSidecar": False,
        "Service": {
            "Kind": "", "ID": "web-1", "Service": "web", "Tags": None, "Address": "", "TaggedAddresses": None, "Meta": None,
            "Port": 80, "SocketPath": "", "Weights": {"Passing": 1, "Warning": 1}, "EnableTagOverride": False,
            "Proxy": {"Mode": "", "MeshGateway": {}, "Expose": {}}, "Connect": {}, "PeerName": "",
            "CreateIndex": 0, "ModifyIndex": 0,
        },
    }  # fmt: skip
    assert local_files.decode_service(json.dumps(service).encode()) == ServiceRow(
        node_service("web", id="web-1", port=80)
    )
    check = {
        "Check": {"Node": "n1", "CheckID": "beat", "Name": "b", "Status": "critical", "ServiceID": "web-1", "ServiceTags": None,
                  "Definition": {}, "ExposedPort": 0, "PeerName": ""},
        "ChkType": {"CheckID": "beat", "Name": "b", "Status": "", "ScriptArgs": None, "Header": None, "Interval": 10_000_000_000,
                    "Timeout": "3s", "HTTP": "http://localhost", "ProxyHTTP": "", "ProxyGRPC": ""},
        "Token": "t", "Source": "remote",
    }  # fmt: skip
    row = local_files.decode_check(json.dumps(check).encode())
    definition = decode_api_check(
        {
            "ID": "beat",
            "Name": "b",
            "ServiceID": "web-1",
            "HTTP": "http://localhost",
            "Interval": "10s",
            "Timeout": "3s",
        }
    )
    assert (row.definition, row.token, row.check.service_id) == (definition, "t", "web-1")


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"null", b"[]", b"{}", b'{"Service": 1}', b'{"Check": {}, "ChkType": 1}']
)
def test_anything_else_is_refused(data: bytes) -> None:
    for decode in (local_files.decode_service, local_files.decode_check, local_files.decode_report):
        with pytest.raises(ValueError):  # noqa: PT011 - msgspec's texts
            decode(data)
