"""Opens the gossip pool of an agent as its settings ask for."""

from __future__ import annotations

from pyconsul.agent.config.config import Config
from pyconsul.agent.gossip.alone import Alone
from pyconsul.agent.gossip.consul.tags import ServerTags, client_tags
from pyconsul.agent.gossip.membership import Membership
from pyconsul.agent.model.member import Member, MemberStatus
from pyconsul.agent.sync.node_registration import CONSUL_VERSION

BUILD = f"{CONSUL_VERSION}:pyconsul"


def lan_tags(config: Config) -> dict[str, str]:
    """Return the tags of this agent in its LAN pool."""
    if not config.server:
        return client_tags(node_id=config.node_id, datacenter=config.datacenter, build=BUILD)
    return ServerTags(
        node_id=config.node_id,
        datacenter=config.datacenter,
        build=BUILD,
        port=config.ports.server,
        acls_enabled=config.acl.enabled,
        wan_join_port=config.ports.serf_wan,
        bootstrap="alone",
    ).for_lan()


def open_lan(config: Config) -> Membership:
    """Return the LAN pool of this agent."""
    local = Member(
        config.node_name, config.advertise_addr, max(0, config.ports.serf_lan), lan_tags(config), MemberStatus.ALIVE
    )
    return Alone(local)
