"""The requests that servers send each other about their cluster: POST /v1/pyconsul/cluster/NAME, JSON both ways."""

from __future__ import annotations

import msgspec

from pyconsul.agent.cluster.etcd.member import MemberSettings
from pyconsul.agent.cluster.founding.ballot import Proposal
from pyconsul.agent.model.autopilot import Survivor

PATH = "/v1/pyconsul/cluster/"


class StateAsked(msgspec.Struct, frozen=True, tag="state"):
    """Ask a server for its state.  The fields are those of the asking server, for the log of the other one.

    replaced: IDs of the clusters that its cluster was recovered from.
    """

    cluster_id: str = ""
    leads: bool = False
    replaced: tuple[str, ...] = ()


class ServerState(msgspec.Struct, frozen=True):
    """The state of a server.

    has_state: it is alone with a state, or a member of a cluster.  cluster_id: "" for none.  waits: it may be added to a cluster.
    index: of the last commit that it has.  is_leaving: it must not be added.  has_quorum: its etcd answers, and has a leader.
    leader: node ID of the server that leads, as this one knows at first hand; "" for none.
    """

    cluster_id: str
    has_state: bool
    waits: bool
    index: int = 0
    is_leaving: bool = False
    has_quorum: bool = True
    leader: str = ""


class VoteAsked(msgspec.Struct, frozen=True, tag="vote"):
    """Ask a server for its vote."""

    proposal: Proposal


class RefusalAsked(msgspec.Struct, frozen=True, tag="refuse"):
    """Ask a server to refuse a proposal for ever."""

    proposal: Proposal


class BallotState(msgspec.Struct, frozen=True):
    """The answer to both: whether the server has its vote, whether it refuses the proposal, and its cluster, if any."""

    votes: bool = False
    refuses: bool = False
    cluster_id: str = ""


class Invitation(msgspec.Struct, frozen=True, tag="join"):
    """Ask a server to start its etcd member, which was added to a cluster.

    number: etcd's number of the new member.  members: node IDs of all, this server included.
    replaced: IDs of the clusters that this one was recovered from.
    """

    cluster_id: str
    number: int
    members: tuple[str, ...]
    settings: MemberSettings
    replaced: tuple[str, ...] = ()


class Dismissal(msgspec.Struct, frozen=True, tag="dismiss"):
    """Tell a server that its etcd member was removed from the cluster."""

    cluster_id: str


class Defragmentation(msgspec.Struct, frozen=True, tag="defragment"):
    """Ask a server to give the free space of its etcd database back to the disk, if that is much."""

    even_if_small: bool = False


class SurveyAsked(msgspec.Struct, frozen=True, tag="survey"):
    """Ask a server what it still has of the state of its cluster, which has no quorum; the answer is a `Survivor`."""

    cluster_id: str


class RecoveryAsked(msgspec.Struct, frozen=True, tag="recover"):
    """Ask a server to go on with its data as a cluster of one."""

    cluster_id: str


class Recovered(msgspec.Struct, frozen=True, tag="recovered"):
    """Tell a server that its cluster goes on as another one, and that its own data are outdated.

    replaced: IDs of all clusters that the other one was recovered from.
    """

    before: str
    cluster_id: str
    replaced: tuple[str, ...] = ()


class Reply(msgspec.Struct, frozen=True):
    """The answer to a request that changes something; a refusal has its reason.  again: ask once more, as for a new server."""

    refusal: str = ""
    again: bool = False


Message = (
    StateAsked
    | VoteAsked
    | RefusalAsked
    | Invitation
    | Dismissal
    | Defragmentation
    | SurveyAsked
    | RecoveryAsked
    | Recovered
)
Answer = ServerState | BallotState | Reply | Survivor
NAMES: dict[str, type[Message]] = {
    "state": StateAsked,
    "vote": VoteAsked,
    "refuse": RefusalAsked,
    "join": Invitation,
    "dismiss": Dismissal,
    "defragment": Defragmentation,
    "survey": SurveyAsked,
    "recover": RecoveryAsked,
    "recovered": Recovered,
}
