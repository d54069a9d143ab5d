"""`pyconsul doctor`: check the agent, the connection to it and its hardening, with advice for each problem."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

from pyconsul.agent.common.options import text
from pyconsul.cli.context import Context
from pyconsul.cli.doctor import diagnosis, hardening, servers
from pyconsul.cli.doctor.diagnosis import FAILURE, OK, WARNING, Finding
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.http.client import access_of
from pyconsul.cli.http.flags import TOKEN, TOKEN_FILE
from pyconsul.cli.output.render import colors, columns, document, format_flag

#: Seconds to wait for each answer of the agent.
PATIENCE = 5.0
_COLORS = {OK: "\x1b[32m", WARNING: "\x1b[33m", FAILURE: "\x1b[1;31m"}
_STALE = {"stale": ""}  # without a quorum the last known state is answered, others wait
_LOCAL = ("127.0.0.1", "localhost", "::1")
_DNS_PORT = 8600
_MANAGEMENT_ID = "00000000-0000-0000-0000-000000000001"  # of the policy global-management


def doctor(context: Context) -> int | None:
    """Print the findings; the exit code is 1 for failures, not for warnings."""
    if context.args.rest:
        raise UsageError(f"Too many arguments (expected 0, got {len(context.args.rest)})")
    findings = list(_findings(context))
    if not document(context, [finding.document() for finding in findings]):
        marks = {OK: "ok", WARNING: "warn", FAILURE: "FAIL"}
        lines = columns([[marks[finding.state], finding.what, finding.text] for finding in findings])
        for finding, line in zip(findings, lines, strict=True):
            mark = marks[finding.state]
            color, end = (_COLORS[finding.state], "\x1b[0m") if colors(context) else ("", "")
            context.out(f"{color}{mark}{end}{line.removeprefix(mark)}")
            if finding.advice:
                context.out(f"      {finding.advice}")
    return Status.FAILURE if any(finding.state == FAILURE for finding in findings) else None


def _findings(context: Context) -> Iterator[Finding]:
    try:
        if path := access_of(context.args, context.environ).token_file:
            yield diagnosis.token_file(path)
        client = context.client
        response = client.request("GET", "/v1/agent/self", timeout=PATIENCE)
    except CliError as error:
        # The advice is in the lines after the first.
        first, _, advice = str(error).partition("\n")
        yield Finding("agent", FAILURE, first, advice)
        if error.status is Status.UNREACHABLE and context.client.address.host in _LOCAL:
            yield from diagnosis.reachable_ports("127.0.0.1")
        return
    about: dict[str, Any] = {}
    if response.status == 200:
        about = response.json()
        version = about["Config"].get("Version", "?")
        yield Finding(
            "agent", OK, f"{about['Config'].get('NodeName', '?')} answers at {client.address}, version {version}"
        )
    else:
        yield _refused(response.status, response.text().strip())
    yield diagnosis.clock(response.headers.get("date", ""), time.time())
    try:
        yield from _cluster(context)
        yield from _servers(context, about)
        stats = about.get("Stats") or {}
        yield from filter(None, (diagnosis.sync(stats.get("sync") or {}), diagnosis.held_rows(stats.get("dns") or {})))
        yield from _gossip(context, about)
        yield from _dns(context, about)
        yield from _disk(context, about)
        if settings := about.get("DebugConfig"):
            yield from hardening.findings(settings, _surroundings(context, settings))
    except CliError as error:
        yield Finding("agent", FAILURE, f"stopped answering: {error}", "See its log.")


def _refused(status: int, text_: str) -> Finding:
    if status == 403:
        advice = 'The token needs `agent_prefix "" { policy = "read" }`.'
        return Finding("agent", WARNING, "answers, but not about itself: permission denied", advice)
    advice = "Is it an agent that listens there? -http-addr and CONSUL_HTTP_ADDR say where it is."
    return Finding("agent", FAILURE, f"answers with HTTP {status}: {text_[:100]}", advice)


def _cluster(context: Context) -> Iterator[Finding]:
    """Leader, token and checks."""
    client = context.client
    status = client.request("GET", "/v1/status/leader", timeout=PATIENCE)
    is_known = status.status == 200
    address, error = (status.json(), "") if is_known else ("", status.text().strip()[:100])
    yield diagnosis.leader(address, error, "" if address or error else _leader_elsewhere(context))
    own = client.request("GET", "/v1/acl/token/self", _STALE, timeout=PATIENCE)
    given = any((context.args[TOKEN], context.args[TOKEN_FILE])) or any(
        context.environ.get(name) for name in ("CONSUL_HTTP_TOKEN", "CONSUL_HTTP_TOKEN_FILE")
    )
    yield diagnosis.token(own.status, own.json() if own.status == 200 else None, given=given)
    critical = client.request("GET", "/v1/health/state/critical", _STALE, timeout=PATIENCE)
    if critical.status == 200:
        filtered = "x-consul-results-filtered-by-acls" in critical.headers or own.status == 403
        yield diagnosis.checks(critical.json(), complete=not filtered)


def _judged(context: Context, state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of the servers as the leader sees it; a server without a leader takes all of them for unhealthy."""
    if any(server["Healthy"] for server in (state.get("Servers") or {}).values()):
        return state
    try:
        response = context.client.request("GET", "/v1/operator/autopilot/state", timeout=PATIENCE)
    except CliError:
        return state
    return response.json() if response.status == 200 else state


def _leader_elsewhere(context: Context) -> str:
    """Return the name of the leader that other servers know; "" for none."""
    try:
        response = context.client.request("GET", "/v1/operator/raft/configuration", timeout=PATIENCE)
    except CliError:
        return ""
    found = response.json().get("Servers") or () if response.status == 200 else ()
    return next((server["Node"] for server in found if server["Leader"]), "")


def _servers(context: Context, about: dict[str, Any]) -> Iterator[Finding]:
    """The quorum and what the servers need."""
    response = context.client.request("GET", "/v1/operator/autopilot/state", _STALE, timeout=PATIENCE)
    count = 0
    if response.status == 200:
        state = _judged(context, response.json())
        count = len(state.get("Servers") or ())
        yield from servers.quorum(state)
    elif response.status == 403:
        yield Finding(
            "servers", WARNING, "cannot see the servers: permission denied", 'The token needs operator = "read".'
        )
    settings = about.get("DebugConfig")
    if settings and _is_local(context):
        import shutil

        if finding := servers.etcd(settings, shutil.which("etcd"), count):
            yield finding


def _gossip(context: Context, about: dict[str, Any]) -> Iterator[Finding]:
    response = context.client.request("GET", "/v1/agent/members", {"explain": ""}, timeout=PATIENCE)
    if response.status != 200:
        return
    score = ((about.get("Stats") or {}).get("serf_lan") or {}).get("health_score", "0")
    yield from diagnosis.gossip(response.rows(), health_score=int(score) if score.isdecimal() else 0)


def _surroundings(context: Context, settings: dict[str, Any]) -> hardening.Surroundings:
    """Facts that no setting holds; Raises CliError when the agent does not answer."""
    owner = mode = None
    if settings.get("DataDir") and _is_local(context):
        try:
            found = os.stat(settings["DataDir"])
        except OSError:
            pass  # `_disk` reports it
        else:
            owner, mode = found.st_uid, found.st_mode & 0o777
    own = context.client.request("GET", "/v1/acl/token/self", _STALE, timeout=PATIENCE)
    policies = (own.json().get("Policies") or []) if own.status == 200 else []
    return hardening.Surroundings(
        owner, mode, _anonymous_writes(context), any(one.get("ID") == _MANAGEMENT_ID for one in policies)
    )


def _anonymous_writes(context: Context) -> bool | None:
    """Return whether a request without a token may write anything; None while ACLs are off."""
    resources = ("key", "service", "node", "session", "event", "query", "acl", "operator")
    response = context.client.request(
        "POST",
        "/v1/internal/acl/authorize",
        _STALE,
        body=json.dumps([{"Resource": one, "Access": "write"} for one in resources]).encode(),
        headers={"X-Consul-Token": ""},
        timeout=PATIENCE,
    )
    if response.status != 200:
        return None
    if any(one["Allow"] for one in response.json()):
        return True
    # Rules for a part of the names are seen in the rules only; a token may read its own, and this one's secret is known.
    headers = {"X-Consul-Token": "anonymous"}
    own = context.client.request("GET", "/v1/acl/token/self?expanded=true&stale", headers=headers, timeout=PATIENCE)
    policies = (own.json().get("ExpandedPolicies") or []) if own.status == 200 else []
    return hardening.grants_writes(policy["Rules"] for policy in policies)


def _is_local(context: Context) -> bool:
    return bool(context.client.address.unix) or context.client.address.host in _LOCAL


def _dns(context: Context, about: dict[str, Any]) -> Iterator[Finding]:
    host, colon, port = context.args[_DNS_ADDR].rpartition(":")
    if not colon:
        host, port = context.args[_DNS_ADDR], ""
    if port and not port.isdecimal():
        raise UsageError(f"invalid -dns-addr {context.args[_DNS_ADDR]!r}: use host:port")
    settings = about.get("DebugConfig") or {}
    stated = settings.get("DNSPort") or (settings.get("Ports") or {}).get("DNS")  # as Consul has it, and as pyconsul
    number = int(port) if port else stated or _DNS_PORT
    if number < 0:
        yield Finding("DNS", WARNING, "is switched off", "Set ports.dns in the agent's configuration to have it.")
        return
    place = host.strip("[]") or context.client.address.host or "127.0.0.1"
    domain = str(settings.get("DNSDomain") or "consul").strip(".")
    for tcp in (False, True):
        finding = diagnosis.dns_answers("127.0.0.1" if place == "localhost" else place, number, domain, tcp=tcp)
        if finding.state == FAILURE and not port and not stated:
            advice = "Without agent:read the port of DNS is unknown; -dns-addr host:port names it."
            finding = Finding(finding.what, WARNING, f"cannot see: {finding.text}", advice)
        yield finding


def _disk(context: Context, about: dict[str, Any]) -> Iterator[Finding]:
    folder = (about.get("DebugConfig") or {}).get("DataDir")
    if folder and _is_local(context):
        yield diagnosis.data_folder(folder)


_DNS_ADDR = text(
    "dns-addr",
    "Where the agent answers over DNS; by default where the agent says.",
    metavar="address",
)
COMMANDS = {
    "doctor": Command(
        doctor,
        _DNS_ADDR,
        format_flag(),
        about="Checks the agent, its leader, the quorum of the servers, the members of its pool, the clocks, the token, failing "
        "checks, DNS over UDP and TCP, the ten hardening lines of the README, and, for an agent on this machine, its disk, "
        "its ports and etcd. Changes nothing. Exits with 1 when something is broken, not for warnings.",
    )
}
