"""Checks of a real agent that outlive a change of its settings, and what the log says of checks that fail."""

from __future__ import annotations

import json
from pathlib import Path

import dns.message
import dns.query
from support.agent_process import AgentProcess, StartAgent
from support.eventually import PATIENCE


def configure(agent: AgentProcess, **settings: object) -> None:
    kept = json.loads(agent.config_file.read_text())
    agent.config_file.write_text(json.dumps({**kept, **settings}))


def test_scripts_that_are_switched_off_do_not_run_after_a_restart(tmp_path: Path, start_agent: StartAgent) -> None:
    trace = tmp_path / "trace"
    agent = start_agent(durable=True, enable_script_checks=True, log_level="debug")
    script = ["sh", "-c", f"echo x >> {trace}; echo 'it   is broken'; exit 2"]
    agent.put("/v1/agent/check/register", {"ID": "script", "Name": "script", "Args": script, "Interval": "1s"})
    agent.put("/v1/agent/check/register", {"ID": "ttl", "Name": "ttl", "TTL": "1m"})
    agent.wait_for_log('check=script error="it is broken"')
    agent.stop()
    configure(agent, enable_script_checks=False, enable_local_script_checks=True)
    agent.start()
    agent.wait_for_log("Scripts are disabled on this agent from remote calls")
    assert set(agent.get("/v1/agent/checks")) == {"ttl"}
    ran = trace.read_text()
    http = {"ID": "http", "Name": "http", "HTTP": "http://127.0.0.1:1/", "Interval": "1s"}
    agent.put("/v1/agent/check/register", http)
    agent.wait_for_log("check=http error=")  # a run of another check, with the same interval
    assert trace.read_text() == ran
    assert agent.get("/v1/health/node/n1")
    configure(agent, enable_script_checks=True)
    agent.stop()
    agent.start()
    assert set(agent.get("/v1/agent/checks")) == {"ttl", "http"}, "what was removed does not come back"


def test_debug_shows_requests_registrations_and_questions(start_agent: StartAgent) -> None:
    secret = "0123-secret"
    agent = start_agent(log_level="debug")
    agent.put("/v1/agent/service/register?Token=" + secret, {"Name": "web", "ID": "web-1"})
    for _ in range(3):
        assert agent.request("GET", "/v1/kv/none")[0] == 404
        agent.get("/v1/health/service/web")
        question = dns.message.make_query("Web.service.consul", "SRV")
        dns.query.udp(question, "127.0.0.1", PATIENCE, agent.dns_port)
    log = agent.log()
    assert "registering service: service=web id=web-1" in log
    assert log.count("request finished: method=GET url=/v1/kv/none from=127.0.0.1 status=404 latency=") == 3
    assert log.count("request finished: method=GET url=/v1/health/service/web from=127.0.0.1 status=200") == 3
    assert log.count("question: name=web.service.consul. type=SRV client=127.0.0.1 network=udp") == 3
    assert secret not in log


def test_dns_settings_are_reloaded(start_agent: StartAgent) -> None:
    agent = start_agent(dns_config={"node_ttl": "5s"})

    def ttl() -> int:
        question = dns.message.make_query("n1.node.consul", "A")
        return int(dns.query.udp(question, "127.0.0.1", PATIENCE, agent.dns_port).answer[0].ttl)

    assert [ttl(), ttl(), ttl()] == [5, 5, 5]
    configure(agent, dns_config={"node_ttl": "7s"})
    agent.put("/v1/agent/reload")
    assert ttl() == 7
