"""The checks of `pyconsul doctor`: one function each, which returns a finding with advice.

Each gets its input and returns one Finding; only `reachable_ports` and `dns_answers` open sockets.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

from pyconsul.agent.common.reasons import reason
from pyconsul.cli.errors import printable

OK, WARNING, FAILURE = "ok", "warning", "failure"
#: Differences of clocks: tolerated, and so large that tokens and TTLs break.
CLOCK_WARNING, CLOCK_FAILURE = 3.0, 60.0
MEMBER_CLOCK_WARNING = 2.0
#: Bytes free on the disk of the data directory below which writes may soon fail.
DISK_WARNING = 500 * 1024 * 1024
#: Seconds to wait for an answer over DNS.
DNS_PATIENCE = 3.0
#: Age in seconds of the rows behind DNS answers from which servers count as out of reach.
OLD_ROWS = 10.0
#: The default ports of an agent, and their use.
DEFAULT_PORTS = {8500: "HTTP", 8600: "DNS", 8300: "servers"}
#: The status of a living and of a failed member.
_ALIVE, _FAILED = 1, 4
#: Score of an agent up to which nothing is wrong, and size of a pool in which scores say little.
_GOOD_SCORE, _FEW_MEMBERS = 1, 2
#: Signs in the reasons of members -> what it means, and what to do.
_GOSSIP_FAULTS = (
    ("UDP is blocked", "UDP does not pass, TCP does", "Open the gossip port (8301) for UDP, too, both ways."),
    (
        "could not be decrypted",
        "packets cannot be decrypted",
        "Compare the gossip keys: `pyconsul keyring -list` on both agents.",
    ),
)


class Finding:
    """`what` was checked, its state (OK, WARNING, FAILURE), the `text` about it, and the advice."""

    __slots__ = ("advice", "state", "text", "what")

    def __init__(self, what: str, state: str, text: str, advice: str = "") -> None:
        self.what = what
        self.state = state
        self.text = text
        self.advice = advice

    def document(self) -> dict[str, str]:
        """Return the findings for JSON and YAML."""
        return {"What": self.what, "State": self.state, "Text": self.text, "Advice": self.advice}


def clock(date: str, now: float) -> Finding:
    """Compare the agent's clock, from the Date of a response (RFC 9110), with this machine's in Unix seconds."""
    from email.utils import parsedate_to_datetime

    try:
        apart = abs(parsedate_to_datetime(date).timestamp() - now)
    except ValueError:
        return Finding("clock", WARNING, "the agent does not tell the time")
    if apart < CLOCK_WARNING:
        return Finding("clock", OK, "the agent's clock and this machine's agree")
    state = FAILURE if apart >= CLOCK_FAILURE else WARNING
    advice = "Set both by NTP (chronyd, systemd-timesyncd): TTLs and expiring tokens go by the clock."
    return Finding("clock", state, f"the agent's clock and this machine's are {apart:.0f} s apart", advice)


def leader(address: str, error: str = "", elsewhere: str = "") -> Finding:
    """Check that the servers have a leader; `address` is empty without one.

    error: the agent's reason for not knowing.  elsewhere: name of the leader that only other servers know.
    """
    if address:
        return Finding("leader", OK, f"the leader is {address}")
    if error:
        advice = "Does `pyconsul members` list a server that is alive? If not, check retry_join and the gossip port."
        return Finding("leader", FAILURE, f"the servers cannot be asked: {error}", advice)
    if elsewhere:
        advice = (
            "Its etcd does not run, or does not reach the others: its log says why. Other servers respond in its place."
        )
        return Finding("leader", FAILURE, f"this server takes no part in its cluster, which {elsewhere} leads", advice)
    advice = (
        "Nothing can be written. Look at the servers with `pyconsul members`, and at their logs. If most of their disks are "
        "lost, `pyconsul operator recover` goes on with what is left."
    )
    return Finding("leader", FAILURE, "no server leads", advice)


def token(status: int, body: Any, *, given: bool) -> Finding:
    """Judge the response of /v1/acl/token/self; `given`: the user set a token."""
    if status == 200:
        name = body.get("Description") or body.get("AccessorID") or "?"
        return Finding("token", OK, f"the token is known: {name}")
    if status == 401:
        return Finding("token", OK, "ACLs are off: everybody may do everything")
    if not given:
        advice = "Give one with -token, -token-file or CONSUL_HTTP_TOKEN."
        return Finding("token", WARNING, "ACLs are on, and no token was given", advice)
    advice = "It may have expired or belong to another cluster: `pyconsul acl token list` with a token that may."
    return Finding("token", FAILURE, f"the agent does not take the token (HTTP {status})", advice)


def token_file(path: str) -> Finding:
    """Check that only its owner can read the token file."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return Finding("token file", FAILURE, f"{path}: {error.strerror}", "Correct -token-file.")
    if mode & 0o077:
        return Finding("token file", WARNING, f"others may read {path}", f"chmod 600 {path}")
    return Finding("token file", OK, f"only its owner may read {path}")


def checks(critical: list[dict[str, Any]], *, complete: bool = True) -> Finding:
    """Return the checks that fail; without `complete` ACLs hide some, or all, checks."""
    advice = "See `pyconsul health -state=critical`."
    hidden = "" if complete else " that this token can see"
    if critical:
        names = ", ".join(sorted({check["ServiceName"] or check["Node"] for check in critical})[:5])
        return Finding("checks", WARNING, f"{len(critical)} checks{hidden} are critical: {names}", advice)
    if not complete:
        advice = "The token needs node:read and service:read."
        return Finding("checks", WARNING, "cannot see all checks: ACLs hide some", advice)
    return Finding("checks", OK, "no check is critical")


def sync(stats: dict[str, str]) -> Finding | None:
    """Judge the section `sync` of an agent's statistics; Consul's agents have none."""
    if not stats:
        return None
    if stats.get("state") == "ok":
        return Finding("anti-entropy", OK, "the catalog shows the services and checks of this agent")
    text = f"the catalog is {stats.get('behind_seconds', '?')} s behind the services and checks of this agent"
    return Finding("anti-entropy", WARNING, text, printable(stats.get("error", "")) or "See the agent's log.")


def held_rows(stats: dict[str, str]) -> Finding | None:
    """Judge the section `dns` of a client agent's statistics; other agents have none."""
    if not stats:
        return None
    try:
        age_s = float(stats.get("oldest_age_seconds", ""))
    except ValueError:
        return None
    if age_s < OLD_ROWS:
        return Finding(
            "DNS rows", OK, f"servers keep the rows of DNS answers current: {stats.get('held_rows', '?')} rows"
        )
    text = f"DNS answers come from rows that no server has confirmed for {age_s:.0f} s"
    return Finding("DNS rows", WARNING, text, "Can this agent reach a server that is alive? See its log.")


def gossip(explained: list[dict[str, Any]], *, health_score: int) -> Iterator[Finding]:
    """Judge the members of the pool: the response of `/v1/agent/members?explain`, of Consul's agents without reasons.

    `health_score`: that of this agent; it rises when probes go unanswered, and when others suspect this agent.  With few
    members it says little: the one that died may have been the only one that could answer.
    """
    members = [one.get("Member", one) for one in explained]
    failed = sorted(printable(member["Name"]) for member in members if member["Status"] == _FAILED)
    if failed:
        text = f"{len(failed)} of {len(members)} members failed: {', '.join(failed[:5])}"
        yield Finding("gossip", WARNING, text, f"`pyconsul members -why {failed[0]}` explains it.")
    else:
        count = "1 member" if len(members) == 1 else f"{len(members)} members"
        yield Finding("gossip", OK, f"{count}, none of them failed")
    for sign, text, advice in _GOSSIP_FAULTS:
        names = [one["Member"]["Name"] for one in explained if any(sign in reason for reason in one.get("Reasons", ()))]
        if names:
            yield Finding("gossip", WARNING, f"{text}: {', '.join(map(printable, sorted(names)[:5]))}", advice)
    yield from _clocks(explained)
    alive = sum(member["Status"] == _ALIVE for member in members)
    if health_score > _GOOD_SCORE and alive > _FEW_MEMBERS:
        text = f"this agent answers, or is answered, too late: health score {health_score} (0 is good)"
        advice = "Is this machine overloaded, or its network? Until then it notices failures of others later."
        yield Finding("gossip", WARNING, text, advice)


def _clocks(explained: list[dict[str, Any]]) -> Iterator[Finding]:
    """Report members whose wall clocks differ from the agent's."""
    offsets = {
        printable(one["Member"]["Name"]): one.get("ClockOffsetSeconds") or 0.0 for one in explained if "Member" in one
    }
    apart = {name: offset for name, offset in offsets.items() if abs(offset) >= MEMBER_CLOCK_WARNING}
    if apart:
        texts = [f"{name} {offset:+.1f} s" for name, offset in sorted(apart.items())[:5]]
        advice = "Set all clocks by NTP: TTLs and expiring tokens go by the clock of the server that leads."
        yield Finding("clocks", WARNING, f"differ from the agent's: {', '.join(texts)}", advice)


def data_folder(path: str) -> Finding:
    """Return the room on the disk of an agent on this machine."""
    import shutil

    try:
        free = shutil.disk_usage(path).free
    except OSError as error:
        return Finding("disk", WARNING, f"cannot look at {path}: {error.strerror}")
    megabytes = free // (1024 * 1024)
    if free < DISK_WARNING:
        return Finding(
            "disk", WARNING, f"{megabytes} MB are free for {path}", "Make room: without it no write succeeds."
        )
    return Finding("disk", OK, f"{megabytes} MB are free for {path}")


def reachable_ports(host: str) -> Iterator[Finding]:
    """Name the owners of the default ports when no agent answers on this machine."""
    for port, use in DEFAULT_PORTS.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                advice = f"`ss -ltnp 'sport = :{port}'` shows by whom; end it, or give the agent another port."
                yield Finding(f"port {port}", WARNING, f"cannot be had for {use}: {error.strerror}", advice)
                continue
        yield Finding(f"port {port}", OK, f"is free for {use}")


def dns_answers(host: str, port: int, domain: str, *, tcp: bool) -> Finding:
    """Check that the agent answers over DNS (RFC 1035)."""
    import dns.exception
    import dns.message
    import dns.query
    import dns.rcode

    what = f"DNS over {'TCP' if tcp else 'UDP'}"
    question = dns.message.make_query(f"consul.service.{domain}", "A")
    try:
        ask = dns.query.tcp if tcp else dns.query.udp
        answer = ask(question, host, DNS_PATIENCE, port)
    except (OSError, dns.exception.DNSException) as error:
        advice = f"Try `dig @{host} -p {port} consul.service.{domain}`; a firewall, or ports.dns = -1, may be why. "
        return Finding(
            what, FAILURE, f"no answer from {host}:{port}: {reason(error)}", advice + "-dns-addr says another place."
        )
    if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Finding(what, OK, f"{host}:{port} answers")
    advice = (
        "No server has answered the agent, see `leader`; names that were asked for before are still answered."
        if answer.rcode() == dns.rcode.SERVFAIL
        else "With ACLs the agent's dns token, or the default one, must be allowed to read nodes and services."
    )
    return Finding(what, WARNING, f"{host}:{port} answers {dns.rcode.to_text(answer.rcode())}", advice)
