"""Settings of the membership protocol. All times are seconds.

Sources: memberlist's LAN, WAN and local profiles, and Consul's `gossip_lan` and `gossip_wan` (PROTOCOL, section 7.8).
"""

from __future__ import annotations

import msgspec


class SwimSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one pool; the defaults are memberlist's for a LAN."""

    probe_interval_s: float = 1.0  # one member is probed in each interval
    probe_timeout_s: float = 0.5  # wait for the direct ack, before others are asked
    suspicion_mult: int = 4  # suspicion lasts at least this × log10(members) × probe interval
    suspicion_max_timeout_mult: int = 6  # and at most this × that
    retransmit_mult: int = 4  # a broadcast is sent this × ceil(log10(members + 1)) times
    gossip_interval_s: float = 0.2
    gossip_nodes: int = 3  # members that receive gossip in each interval
    push_pull_interval_s: float = 30.0  # for up to 32 members
    tcp_timeout_s: float = 10.0  # for a whole stream
    indirect_checks: int = 3  # members asked to probe for us
    gossip_to_the_dead_s: float = 30.0  # a dead member still receives gossip for this time, and is then forgotten
    dead_node_reclaim_s: float = 0.0  # a member dead for longer may come back with another address; 0 = never
    awareness_max: int = 8  # health scores go from 0 to this − 1
    packet_budget: int = 1400  # bytes of a packet, before compression
    catch_up: bool = True  # own addition: extra push/pulls while many members join (`push_pull.py`)


LAN = SwimSettings()
WAN = SwimSettings(
    probe_interval_s=5.0,
    probe_timeout_s=3.0,
    suspicion_mult=6,
    gossip_interval_s=0.5,
    gossip_nodes=4,
    push_pull_interval_s=60.0,
    tcp_timeout_s=30.0,
    gossip_to_the_dead_s=60.0,
)
LOCAL = SwimSettings(
    probe_timeout_s=0.2,
    suspicion_mult=3,
    retransmit_mult=2,
    gossip_interval_s=0.1,
    push_pull_interval_s=15.0,
    tcp_timeout_s=1.0,
    indirect_checks=1,
    gossip_to_the_dead_s=15.0,
)
CONSUL_LAN = msgspec.structs.replace(LAN, dead_node_reclaim_s=30.0)
#: Consul passes the LAN's `gossip_nodes` to the WAN, so that it is 3 there, whatever its documentation says.
CONSUL_WAN = msgspec.structs.replace(WAN, gossip_nodes=LAN.gossip_nodes, dead_node_reclaim_s=30.0)
_DEV = {"probe_interval_s": 0.1, "probe_timeout_s": 0.1, "suspicion_mult": 3, "gossip_interval_s": 0.1}
CONSUL_DEV_LAN = msgspec.structs.replace(CONSUL_LAN, **_DEV)
CONSUL_DEV_WAN = msgspec.structs.replace(CONSUL_WAN, **_DEV)


def consul_settings(
    profile: SwimSettings,
    *,
    gossip_interval_s: float | None = None,
    gossip_nodes: int | None = None,
    probe_interval_s: float | None = None,
    probe_timeout_s: float | None = None,
    suspicion_mult: int | None = None,
    retransmit_mult: int | None = None,
) -> SwimSettings:
    """Return a profile with the settings of a `gossip_lan` or `gossip_wan` block; None keeps the value.

    Raises ValueError, which names the setting.
    """
    changes = {
        "gossip_interval_s": gossip_interval_s,
        "gossip_nodes": gossip_nodes,
        "probe_interval_s": probe_interval_s,
        "probe_timeout_s": probe_timeout_s,
        "suspicion_mult": suspicion_mult,
        "retransmit_mult": retransmit_mult,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    for name, value in given.items():
        if value <= 0:
            raise ValueError(f"{name.removesuffix('_s')} must be positive, not {value}")
    return msgspec.structs.replace(profile, **given)
