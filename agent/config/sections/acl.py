"""Settings of access control: `acl`."""

from typing import Annotated

import msgspec

from pyconsul.agent.config.setting import Duration, setting


class ACLTokens(msgspec.Struct, frozen=True, kw_only=True):
    """Secret IDs of tokens; empty: none."""

    initial_management: Annotated[str, setting("Token with all rights, made at the first start.", secret=True)] = ""
    agent: Annotated[
        str, setting("Token for the agent's own work.", reloadable=True, secret=True, unsupported="clustering")
    ] = ""
    default: Annotated[
        str, setting("Token of requests and questions that bring none.", reloadable=True, secret=True)
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
        setting("Token for copying ACLs between datacenters.", reloadable=True, secret=True, unsupported="clustering"),
    ] = ""
    config_file_service_registration: Annotated[
        str, setting("Token that registers what files define.", reloadable=True, secret=True)
    ] = ""
    dns: Annotated[str, setting("Token for DNS questions.", reloadable=True, secret=True)] = ""

    def __repr__(self) -> str:
        """Tokens stay out of tracebacks and logs."""
        given = [name for name in self.__struct_fields__ if getattr(self, name)]
        return f"ACLTokens(given: {', '.join(given) or 'none'})"


class ACL(msgspec.Struct, frozen=True, kw_only=True):
    """Access control; durations in seconds."""

    enabled: Annotated[bool, setting("Ask for tokens.")] = False
    # Any word is read here; what is not allowed stops the agent's start (see `validate.at_start`).
    default_policy: Annotated[str, setting("What no rule decides: allow or deny.")] = "allow"
    down_policy: Annotated[str, setting("Without a server: allow, deny, extend-cache or async-cache.")] = "extend-cache"
    policy_ttl: Annotated[Duration, setting("How long policies are kept.", unsupported="clustering")] = 30.0
    role_ttl: Annotated[Duration, setting("How long roles are kept; 0: as policies.", unsupported="clustering")] = 0.0
    token_ttl: Annotated[Duration, setting("How long tokens are kept.", unsupported="clustering")] = 30.0
    enable_key_list_policy: Annotated[bool, setting("Ask for `list` rights to list keys.")] = False
    enable_token_persistence: Annotated[bool, setting("Keep tokens set over the API across restarts.")] = False
    enable_token_replication: Annotated[
        bool, setting("Copy tokens from the primary datacenter.", unsupported="clustering")
    ] = False
    tokens: Annotated[ACLTokens, setting("Tokens the agent works with.")] = ACLTokens()
