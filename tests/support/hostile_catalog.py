"""An agent with everything in it that the web interface shows, under names that try to break its pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.agent_process import AgentProcess, running_agent

ROOT = "11111111-1111-1111-1111-111111111111"
SCRIPT = "<script>alert(1)</script>"
IMAGE = "\"'><img src=x onerror=alert(2)>"
LONG = "long-" + "x" * 120
SLASHES = "a/b%2Fc?d#e"
FOREIGN = "سلام-日本-🦊"
NAMES = (SCRIPT, IMAGE, LONG, SLASHES, FOREIGN)
#: None of this may stand in a page: it would be markup.
MARKUP = ("<script>alert", "<img src=x")


@contextmanager
def hostile_agent() -> Iterator[AgentProcess]:
    """Run an agent with access control, whose token ROOT may do everything, and whose anonymous token reads all but that."""
    acl = {"enabled": True, "default_policy": "allow", "tokens": {"initial_management": ROOT}}
    with running_agent(ui_config={"enabled": True}, acl=acl) as agent:
        agent.wait_for_log("Agent started")
        for number, name in enumerate(NAMES):
            _register(agent, number, name)
            _keys(agent, name)
        _access(agent)
        yield agent


def _send(agent: AgentProcess, method: str, path: str, body: object = None) -> bytes:
    status, _, data = agent.request(method, path, body, {"X-Consul-Token": ROOT})
    assert status == 200, f"{method} {path}: {status} {data!r}"
    return data


def _register(agent: AgentProcess, number: int, name: str) -> None:
    """Register a service at this agent, one in the catalog only, and a node."""
    state = ("critical", "warning", "passing")[number % 3]
    check = {"CheckID": f"check {name}", "Name": name, "TTL": "1h", "Status": state, "Notes": name}
    service = {"ID": name, "Name": name, "Port": 80, "Tags": [name, "v1"], "Meta": {"about": name}, "Check": check}
    _send(agent, "PUT", "/v1/agent/service/register", service)
    _send(agent, "PUT", f"/v1/agent/check/update/{quote('check ' + name, safe='')}", {"Status": state, "Output": name})
    row = {
        "Node": f"node {name}",
        "Address": "10.0.0.1",
        "NodeMeta": {"about": name},
        "Service": {"ID": name, "Service": name, "Port": 81},
        "Check": {"CheckID": "c", "Name": name, "Status": state, "Output": f"{name}\n{name}"},
    }
    _send(agent, "PUT", "/v1/catalog/register", row)
    _send(agent, "PUT", f"/v1/event/fire/{quote(name, safe='')}", name.encode())


def _keys(agent: AgentProcess, name: str) -> None:
    """Write keys, one of them locked by a session."""
    data = _send(agent, "PUT", "/v1/session/create", {"Name": name, "TTL": "1h"})
    session = data.decode().split('"')[3]
    for key in (name, f"folder/{name}/value", f"{name}/{name}"):
        _send(agent, "PUT", f"/v1/kv/{quote(key, safe='')}?flags=7", name.encode())
    _send(agent, "PUT", f"/v1/kv/{quote('lock ' + name, safe='')}?acquire={session}", b"\xff\xfe\x00binary")


def _access(agent: AgentProcess) -> None:
    rules = 'key_prefix "" { policy = "read" } # ' + SCRIPT
    _send(agent, "PUT", "/v1/acl/policy", {"Name": "p1", "Description": IMAGE, "Rules": rules})
    _send(agent, "PUT", "/v1/acl/role", {"Name": "r1", "Description": SCRIPT, "Policies": [{"Name": "p1"}]})
    _send(agent, "PUT", "/v1/acl/token", {"Description": IMAGE + LONG, "Roles": [{"Name": "r1"}]})
    config = {"JWTValidationPubKeys": [_public_key()], "ClaimMappings": {"team": "team"}}
    method = {"Name": "jwt", "Type": "jwt", "DisplayName": IMAGE, "Description": SCRIPT, "Config": config}
    _send(agent, "PUT", "/v1/acl/auth-method", method)
    rule = {"AuthMethod": "jwt", "BindType": "role", "BindName": "r1", "Selector": 'value.team == "<script>"'}
    _send(agent, "PUT", "/v1/acl/binding-rule", {**rule, "Description": IMAGE})
    for number, name in enumerate(NAMES):
        _send(agent, "POST", "/v1/query", {"Name": f"query{number} {name}", "Service": {"Service": name}})


def _public_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
