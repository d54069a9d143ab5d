"""Settings of the gossip's timing: `gossip_lan`, `gossip_wan`."""

from typing import Annotated

import msgspec

from pyconsul.agent.config import validators
from pyconsul.agent.config.setting import Duration, setting


class GossipTiming(msgspec.Struct, frozen=True, kw_only=True):
    """The timing of one pool; the defaults are those of a LAN."""

    gossip_interval: Annotated[
        Duration, setting("Interval between messages to other members.", dev=0.1, check=validators.positive)
    ] = 0.2
    gossip_nodes: Annotated[
        int, setting("Number of members that receive each message.", check=validators.at_least(1, "1 member"))
    ] = 3
    probe_interval: Annotated[
        Duration, setting("Interval between probes; each probes one member.", dev=0.1, check=validators.positive)
    ] = 1.0
    probe_timeout: Annotated[
        Duration,
        setting("Time to wait for an ack before other members are asked to probe.", dev=0.1, check=validators.positive),
    ] = 0.5
    retransmit_mult: Annotated[
        int,
        setting(
            "Number of transmissions of a message for each power of ten of the members.",
            check=validators.at_least(1, "1 transmission"),
        ),
    ] = 4
    suspicion_mult: Annotated[
        int,
        setting(
            "Time until a suspected member fails: probe intervals for each power of ten of the members.",
            dev=3,
            check=validators.at_least(1, "1 interval"),
        ),
    ] = 4


class WANGossipTiming(GossipTiming, frozen=True, kw_only=True):
    """The timing of the WAN pool, whose members are far away."""

    gossip_interval: Annotated[
        Duration, setting("Interval between messages to other members.", dev=0.1, check=validators.positive)
    ] = 0.5
    probe_interval: Annotated[
        Duration, setting("Interval between probes; each probes one member.", dev=0.1, check=validators.positive)
    ] = 5.0
    probe_timeout: Annotated[
        Duration,
        setting("Time to wait for an ack before other members are asked to probe.", dev=0.1, check=validators.positive),
    ] = 3.0
    suspicion_mult: Annotated[
        int,
        setting(
            "Time until a suspected member fails: probe intervals for each power of ten of the members.",
            dev=3,
            check=validators.at_least(1, "1 interval"),
        ),
    ] = 6
