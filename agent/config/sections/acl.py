"""Settings of access control: `acl`."""

from typing import Annotated

import msgspec

from pyconsul.agent.config.setting import Duration, setting


class ACLTokens(msgspec.Struct, frozen=True, kw_only=True):
    """Secret IDs of tokens; empty: none."""

    initial_management: Annotated[str, setting("Management token, created at the first start.", secret=True)] = ""
    agent: Annotated[
        str,
        setting("Token for the agent's internal operations.", reloadable=True, secret=True),
    ] = ""
    default: Annotated[
        str, setting("Token for requests and DNS queries without a token.", reloadable=True, secret=True)
    ] = ""
    agent_recovery: Annotated[
        str,
        setting(
            "Token that is good for this agent alone, without a server.",
            reloadable=True,
            secret=True,
        ),
    ] = ""
    replication: Annotated[
        str,
        setting(
            "Token for replication of ACLs between datacenters.",
            reloadable=True,
            secret=True,
            unsupported="several datacenters",
        ),
    ] = ""
    config_file_service_registration: Annotated[
        str, setting("Token for registrations of services and checks from files.", reloadable=True, secret=True)
    ] = ""
    dns: Annotated[str, setting("Token for DNS queries.", reloadable=True, secret=True)] = ""

    def __repr__(self) -> str:
        """Tokens stay out of tracebacks and logs."""
        given = [name for name in self.__struct_fields__ if getattr(self, name)]
        return f"ACLTokens(given: {', '.join(given) or 'none'})"


class ACL(msgspec.Struct, frozen=True, kw_only=True):
    """Access control; durations in seconds."""

    enabled: Annotated[bool, setting("Enable ACLs.")] = False
    # Any word is read here; what is not allowed stops the agent's start (see `validate.at_start`).
    default_policy: Annotated[str, setting("Policy where no rule applies: allow or deny.")] = "allow"
    down_policy: Annotated[
        str, setting("Policy while no server can be reached: allow, deny, extend-cache or async-cache.")
    ] = "extend-cache"
    policy_ttl: Annotated[Duration, setting("Time for which a client agent caches policies.")] = 30.0
    role_ttl: Annotated[Duration, setting("Time for which a client agent caches roles; 0: as policies.")] = 0.0
    token_ttl: Annotated[Duration, setting("Time for which a client agent caches tokens.")] = 30.0
    enable_key_list_policy: Annotated[bool, setting("Require the `list` permission to list keys.")] = False
    enable_token_persistence: Annotated[bool, setting("Keep tokens set over the API across restarts.")] = False
    enable_token_replication: Annotated[
        bool, setting("Replicate tokens from the primary datacenter.", unsupported="several datacenters")
    ] = False
    tokens: Annotated[ACLTokens, setting("Tokens of the agent.")] = ACLTokens()
