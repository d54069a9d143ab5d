"""An agent with ACLs on, and callers with tokens of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.agent_process import AgentProcess, running_agent

ROOT = "5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"


class Caller:
    """A client with one token; an empty secret is none."""

    def __init__(self, agent: AgentProcess, secret: str) -> None:
        self.agent, self.secret = agent, secret

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and text of a response."""
        headers = {"X-Consul-Token": self.secret} if self.secret else {}
        status, _, data = self.agent.request(method, path, body, headers)
        return status, data.decode()

    def put(self, path: str, body: Any = None) -> tuple[int, str]:
        return self.ask("PUT", path, body)

    def read(self, path: str) -> Any:
        """Return the JSON of a GET that succeeds."""
        status, text = self.ask("GET", path)
        assert status == 200, f"{path}: {status} {text}"
        return json.loads(text)

    def write(self, path: str, body: Any = None) -> Any:
        """Return the JSON of a PUT that succeeds."""
        status, text = self.put(path, body)
        assert status == 200, f"{path}: {status} {text}"
        return json.loads(text) if text else None


class Manager(Caller):
    """The client with the management token."""

    def caller(self, rules: str) -> Caller:
        """Return a client whose token has these rules."""
        number = len(self.read("/v1/acl/policies"))
        self.write("/v1/acl/policy", {"Name": f"policy-{number}", "Rules": rules})
        token = self.write("/v1/acl/token", {"Policies": [{"Name": f"policy-{number}"}]})
        return Caller(self.agent, token["SecretID"])


@contextmanager
def acl_agent(**settings: Any) -> Iterator[Manager]:
    """A development agent whose default policy is deny."""
    acl = {
        "enabled": True,
        "default_policy": "deny",
        "tokens": {"initial_management": ROOT, "agent": ROOT},
        **settings.pop("acl", {}),
    }
    with running_agent(acl=acl, **settings) as agent:
        yield Manager(agent, ROOT)
