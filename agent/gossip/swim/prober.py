"""Failure detection: one member after the other is probed.

| state    | input                           | effect                                                     | next     |
| -------- | ------------------------------- | ---------------------------------------------------------- | -------- |
| IDLE     | tick                            | ping to the next member (with the suspicion, if suspected) | DIRECT   |
| DIRECT   | ack                             | ProbeAnswered, score − 1                                   | IDLE     |
| DIRECT   | probe timeout                   | indirect pings to 3 others, and a ping by a stream         | INDIRECT |
| INDIRECT | ack                             | score − 1                                                  | IDLE     |
| INDIRECT | end of the probe, stream acked  | score − 1, warning: UDP does not pass                      | IDLE     |
| INDIRECT | end of the probe                | score + missing nacks (+ 1 without any to expect), suspect | IDLE     |

A probe ends interval × (score + 1) after its start. Ticks come every interval; those during a longer probe fall together into one
at its end. Sources: SWIM paper, section 3.1; Lifeguard paper (nacks, score); memberlist's `probeNode` (PROTOCOL, section 7.1).
"""

from __future__ import annotations

import math
from enum import Enum

from pyconsul.agent.gossip.swim.contacts import Contacts
from pyconsul.agent.gossip.swim.effects import LogLine, Outbox, ProbeAnswered, SendStreamPing
from pyconsul.agent.gossip.swim.formulas import probe_interval_s
from pyconsul.agent.gossip.swim.member import PMAX_NACK, PMAX_TCP_PING, Member, MemberState
from pyconsul.agent.gossip.swim.membership import Membership
from pyconsul.agent.gossip.swim.packets import PacketSender
from pyconsul.agent.gossip.swim.pings import Sequence
from pyconsul.agent.gossip.swim.settings import SwimSettings
from pyconsul.agent.gossip.wire.messages import Ack, IndirectPing, Nack, Ping, Suspect


class ProbeState(Enum):
    """The states of the prober."""

    IDLE = "idle"
    DIRECT = "direct"
    INDIRECT = "indirect"


class Prober:
    """The probe that is running, if any. `deadline`: when `advance` is to be called, in seconds."""

    __slots__ = (
        "_contacts",
        "_ends_at",
        "_expected_nacks",
        "_membership",
        "_nacks",
        "_outbox",
        "_phase",
        "_ping",
        "_sender",
        "_sequence",
        "_settings",
        "_started_at",
        "_state",
        "_stream_acked",
        "_target",
        "deadline",
    )

    def __init__(
        self,
        settings: SwimSettings,
        membership: Membership,
        sender: PacketSender,
        outbox: Outbox,
        sequence: Sequence,
        contacts: Contacts,
        first_at: float,
    ) -> None:
        self._settings, self._membership, self._sender, self._outbox = settings, membership, sender, outbox
        self._sequence, self._contacts = sequence, contacts
        self._state = ProbeState.IDLE
        self._phase = self.deadline = first_at
        self._target: Member = membership.local
        self._ping = Ping(0, "")
        self._started_at = self._ends_at = first_at
        self._expected_nacks = self._nacks = 0
        self._stream_acked = False

    def advance(self, now: float) -> None:
        """Do what is due."""
        if self._state is ProbeState.IDLE:
            self._start(now)
        elif self._state is ProbeState.DIRECT:
            self._ask_others(now)
        else:
            self._finish(now)

    def ack(self, message: Ack, now: float) -> bool:
        """Take an ack by packet; return whether it belongs to the running probe."""
        if self._state is ProbeState.IDLE or message.seq_no != self._ping.seq_no:
            return False
        if self._state is ProbeState.DIRECT:
            self._outbox.effects.append(ProbeAnswered(self._target, now - self._started_at, message.payload))
        self._contacts.acked(self._target.name, now)
        self._membership.awareness.change(-1)
        self._rest(now)
        return True

    def nack(self, message: Nack) -> None:
        if self._state is ProbeState.INDIRECT and message.seq_no == self._ping.seq_no:
            self._nacks += 1

    def stream_ack(self, seq_no: int) -> None:
        """The ping by a stream was acked."""
        if self._state is ProbeState.INDIRECT and seq_no == self._ping.seq_no:
            self._stream_acked = True

    def _start(self, now: float) -> None:
        target = self._next_target(now)
        if target is None:
            self._rest(now + self._settings.probe_interval_s)
            return
        local = self._membership.local
        self._target = target
        self._ping = Ping(self._sequence.next(), target.name, local.address.ip, local.address.port, local.name)
        self._started_at = now
        self._ends_at = now + probe_interval_s(self._settings, self._membership.awareness.score)
        self._expected_nacks = self._nacks = 0
        self._stream_acked = False
        self._state = ProbeState.DIRECT
        self.deadline = min(now + self._settings.probe_timeout_s, self._ends_at)
        if target.state is MemberState.SUSPECT:
            self._sender.send_alone(target, self._ping, Suspect(target.incarnation, target.name, local.name))
        else:
            self._sender.send(target.address, self._ping)

    def _next_target(self, now: float) -> Member | None:
        """Return the member to probe; None while the local node leaves: it no longer hears who refutes (own choice)."""
        if self._membership.is_leaving:
            return None
        table, local_name = self._membership.table, self._membership.local.name
        for _ in range(len(table) + 1):
            member = table.next_to_probe()
            if member is None:
                for name in self._membership.start_round(now):
                    self._contacts.forget(name)
            elif member.name != local_name and not member.is_gone:
                return member
        return None

    def _ask_others(self, now: float) -> None:
        # If this node wakes up late, its helpers get their time nevertheless (own choice).
        time_for_helpers = self._settings.probe_interval_s - self._settings.probe_timeout_s
        self._ends_at = max(self._ends_at, now + time_for_helpers)
        target, local = self._target, self._membership.local
        helpers = self._membership.table.random_members(
            self._settings.indirect_checks,
            lambda member: member.state is MemberState.ALIVE and member.name not in (target.name, local.name),
        )
        for helper in helpers:
            wants_nack = helper.understands(PMAX_NACK)
            self._expected_nacks += wants_nack
            self._sender.send(
                helper.address,
                IndirectPing(
                    self._ping.seq_no,
                    target.address.ip,
                    target.address.port,
                    target.name,
                    wants_nack,
                    local.address.ip,
                    local.address.port,
                    local.name,
                ),
            )
        if target.understands(PMAX_TCP_PING):
            self._outbox.effects.append(SendStreamPing(target.address, self._ping, self._ends_at - now))
        self._state = ProbeState.INDIRECT
        self.deadline = self._ends_at

    def _finish(self, now: float) -> None:
        target, awareness = self._target, self._membership.awareness
        if self._stream_acked:
            awareness.change(-1)
            self._contacts.stream_acked(target.name, now)
            text = f"member answers by TCP but not by UDP: member={target.name} (is UDP port {target.address.port} blocked?)"
            self._outbox.effects.append(LogLine("UDP blocked", text))
        else:
            awareness.change(self._expected_nacks - self._nacks if self._expected_nacks else 1)
            self._contacts.missed(target.name)
            self._membership.suspect(Suspect(target.incarnation, target.name, self._membership.local.name), now)
        self._rest(now)

    def _rest(self, now: float) -> None:
        """Wait for the next tick: the first one after the start of the last probe, or now if it is over."""
        interval = self._settings.probe_interval_s
        self._state = ProbeState.IDLE
        tick = self._phase + interval * (math.floor((self._started_at - self._phase) / interval + 1e-9) + 1)
        self.deadline = max(tick, now)
