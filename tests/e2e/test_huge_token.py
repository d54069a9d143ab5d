"""A token with very many rules: its first requests, all at once, are answered by its rules."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from support.agent_process import running_agent

ROOT = "11111111-1111-1111-1111-111111111111"
RULES = 20_000


def test_the_first_use_of_a_huge_token() -> None:
    acl = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": ROOT}}
    with running_agent(acl=acl) as agent:
        root = {"X-Consul-Token": ROOT}
        rules = "\n".join(f'key_prefix "a/{number}/" {{ policy = "write" }}' for number in range(RULES))
        assert agent.request("PUT", "/v1/acl/policy", {"Name": "huge", "Rules": rules}, root)[0] == 200
        secret = "22222222-2222-2222-2222-222222222222"
        token = {"SecretID": secret, "Policies": [{"Name": "huge"}]}
        assert agent.request("PUT", "/v1/acl/token", token, root)[0] == 200

        def ask(number: int) -> tuple[int, int]:
            headers = {"X-Consul-Token": secret}
            allowed = agent.request("PUT", f"/v1/kv/a/{number}/x", b"1", headers)[0]
            return allowed, agent.request("PUT", f"/v1/kv/a/{RULES + number}/x", b"1", headers)[0]

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(ask, range(16))) == {(200, 403)}
