"""The states of a member, and how the claims of messages change them.

Transitions (state × claim → state; which incarnation i is needed, with I the known one; event):

| known     | alive                     | suspect              | dead (from another)    | dead (from itself)     |
| --------- | ------------------------- | -------------------- | ---------------------- | ---------------------- |
| unknown   | ALIVE, any i, joined      | –                    | –                      | –                      |
| ALIVE     | ALIVE, i > I (updated)    | SUSPECT, i ≥ I       | DEAD, i ≥ I, left      | LEFT, i ≥ I, left      |
| SUSPECT   | ALIVE, i > I (updated)    | confirmation, i ≥ I  | DEAD, i ≥ I, left      | LEFT, i ≥ I, left      |
| DEAD      | ALIVE, i > I, joined      | –                    | –                      | –                      |
| LEFT      | ALIVE, i > I, joined      | –                    | –                      | –                      |

Rules besides:
  1. Whatever changes a state, or confirms a suspicion, is broadcast on.
  2. Claims about the local node are refuted: suspect and dead with i ≥ I; alive with i > I, or i = I and other meta or versions
     (so a restarted node takes over its name). While it leaves, it refutes nothing, ignores alive and takes dead as its own.
  3. alive with another address is a name conflict, unless the member left, is dead for longer than `dead_node_reclaim_s`, or is
     dead or suspected and certainly the same node (own addition: it has the same ID): then the address is taken, whatever i.
  4. A suspicion that nobody refutes in time makes the member dead, from the local node.
  5. DEAD and LEFT members are forgotten at the end of a round of probes, `gossip_to_the_dead_s` after they changed.

Sources: SWIM paper, section 4.2 (suspicion and incarnations); memberlist's behavior (PROTOCOL, section 6).
"""

from __future__ import annotations

from enum import Enum

from pyconsul.agent.gossip.swim.member import MemberState

#: Own limit: an incarnation beyond it is ignored, since refuting it would overflow 32 bits sooner or later.
MAX_INCARNATION = 2**32 - 2**16
INCARNATION_LIMIT = 2**32 - 1  # the highest one that this node gives itself


class Claim(Enum):
    """The claim of a message about a member."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    DEAD = "dead"
    LEAVES = "dead, from itself"


class Needs(Enum):
    """The incarnation that a claim needs."""

    NEWER = "i > I"
    KNOWN = "i >= I"


_ALIVE, _SUSPECT, _DEAD, _LEFT = MemberState
#: (state, claim) → next state and the incarnation needed; what is missing is ignored.
TRANSITIONS: dict[tuple[MemberState, Claim], tuple[MemberState, Needs]] = {
    (_ALIVE, Claim.ALIVE): (_ALIVE, Needs.NEWER),
    (_ALIVE, Claim.SUSPECT): (_SUSPECT, Needs.KNOWN),
    (_ALIVE, Claim.DEAD): (_DEAD, Needs.KNOWN),
    (_ALIVE, Claim.LEAVES): (_LEFT, Needs.KNOWN),
    (_SUSPECT, Claim.ALIVE): (_ALIVE, Needs.NEWER),
    (_SUSPECT, Claim.SUSPECT): (_SUSPECT, Needs.KNOWN),
    (_SUSPECT, Claim.DEAD): (_DEAD, Needs.KNOWN),
    (_SUSPECT, Claim.LEAVES): (_LEFT, Needs.KNOWN),
    (_DEAD, Claim.ALIVE): (_ALIVE, Needs.NEWER),
    (_LEFT, Claim.ALIVE): (_ALIVE, Needs.NEWER),
}


def next_state(state: MemberState, claim: Claim, incarnation: int, known_incarnation: int) -> MemberState | None:
    """Return the state after a claim; None if the claim is ignored."""
    transition = TRANSITIONS.get((state, claim))
    if transition is None:
        return None
    state_after, needs = transition
    if incarnation < known_incarnation or (incarnation == known_incarnation and needs is Needs.NEWER):
        return None
    return state_after
