"""Why a member has its status, in sentences: what `members -why` prints and the log says in one line."""

from __future__ import annotations

from collections.abc import Iterator

from pyconsul.agent.gossip.membership import Explanation
from pyconsul.agent.gossip.serf.wall_clocks import MAX_OFFSET_S, describe
from pyconsul.agent.gossip.swim.contacts import Contact
from pyconsul.agent.gossip.swim.node import Explanation as Evidence
from pyconsul.agent.model.member import Member, MemberStatus


def explain(
    member: Member,
    evidence: Evidence | None,
    now: float,
    *,
    undecryptable_packets: int = 0,
    clock_offset_s: float | None = None,
) -> Explanation:
    """Return why a member has its status.

    `evidence` is what SWIM knows; None: it has forgotten the member. `undecryptable_packets`: packets from the member's address
    that no key of this agent fits, a sign of a key mismatch. `clock_offset_s`: how far its clock is ahead of this agent's.
    """
    contact = evidence.contact if evidence else Contact()
    accusers = evidence.accusers if evidence else ()
    ends_at = evidence.suspicion_ends_at if evidence else None
    reasons = [_status(member, contact, accusers, ends_at, now)]
    if evidence is None:
        reasons.append("it is gone for so long that no details are kept")
    reasons += _probes(contact, now)
    if undecryptable_packets:
        packets = f"{undecryptable_packets} packet" + ("s" if undecryptable_packets > 1 else "")
        reasons.append(f"{packets} from its address could not be decrypted: it may use another gossip key")
    if clock_offset_s is not None and abs(clock_offset_s) > MAX_OFFSET_S:
        reasons.append(describe(clock_offset_s))
    return Explanation(
        member=member,
        reasons=tuple(reasons),
        last_ack_s=_ago(contact.last_ack_at, now),
        last_tcp_ack_s=_ago(contact.last_stream_ack_at, now),
        missed_probes=contact.missed_probes,
        accusers=accusers,
        fails_in_s=max(0.0, ends_at - now) if ends_at is not None else None,
        clock_offset_s=clock_offset_s,
    )


def _status(member: Member, contact: Contact, accusers: tuple[str, ...], ends_at: float | None, now: float) -> str:
    if member.status is MemberStatus.LEAVING:
        return "it announced that it leaves"
    if member.status is MemberStatus.LEFT:
        return "it left, or an operator forced it to leave"
    if member.status is MemberStatus.FAILED:
        by = f"declared dead by {contact.declared_dead_by}" if contact.declared_dead_by else "declared dead"
        return f"{by} (suspected by {_list(accusers)})" if accusers else by
    if ends_at is not None:
        return f"suspected by {_list(accusers)}; fails in {max(0.0, ends_at - now):.1f} s unless it refutes"
    return "it is alive"


def _probes(contact: Contact, now: float) -> Iterator[str]:
    """Yield what this agent's own probes have shown."""
    acks = [at for at in (contact.last_ack_at, contact.last_stream_ack_at) if at is not None]
    if contact.last_stream_ack_at is not None and contact.last_stream_ack_at == max(acks):
        yield "UDP is blocked, TCP works: the last acknowledged probe passed only over TCP (check the firewall)"
    if contact.missed_probes:
        probes = "1 probe" if contact.missed_probes == 1 else f"{contact.missed_probes} probes in a row"
        yield f"{probes} of this agent went unanswered"
    if acks:
        yield f"last acknowledged a probe of this agent {now - max(acks):.1f} s ago"
    else:
        yield "never acknowledged a probe of this agent"


def _ago(at: float | None, now: float) -> float | None:
    return None if at is None else max(0.0, now - at)


def _list(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
