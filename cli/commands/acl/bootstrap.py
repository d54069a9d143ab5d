"""`pyconsul acl bootstrap` and `acl set-agent-token`.

The API: https://developer.hashicorp.com/consul/api-docs/acl#bootstrap-acls
"""

from __future__ import annotations

from pyconsul.cli.acl.text import token_lines
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, document, format_flag

#: Names on the command line and in the API.
_AGENT_TOKENS = {
    "default": "default",
    "agent": "agent",
    "recovery": "agent_recovery",
    "agent_recovery": "agent_recovery",
    "replication": "replication",
    "config_file_service_registration": "config_file_service_registration",
    "dns": "dns",
}


def bootstrap(context: Context) -> None:
    """Create the first management token; it may be chosen by giving its secret (@path, - or itself)."""
    words = context.args.rest
    if len(words) > 1:
        raise UsageError(f"Too many arguments (expected at most one secret, got {len(words)})")
    body = {"BootstrapSecret": context.read_text_source(words[0]).strip()} if words else None
    try:
        token = context.client.put("/v1/acl/bootstrap", body=body)
    except CliError as error:
        raise during("Failed ACL bootstrapping", error) from None
    if not document(context, token):
        context.out("\n".join(token_lines(token)) + "\n")


def set_agent_token(context: Context) -> None:
    """Set one of the agent's tokens; an empty one removes it."""
    words = context.args.rest
    if len(words) != 2:
        raise UsageError("Must specify TYPE and TOKEN")
    kind, secret = words
    if kind not in _AGENT_TOKENS:
        raise UsageError(f"Unknown token type {kind!r}: use one of {', '.join(_AGENT_TOKENS)}")
    try:
        context.client.put(f"/v1/agent/token/{_AGENT_TOKENS[kind]}", body={"Token": secret})
    except CliError as error:
        raise during(f'Failed to set ACL token "{kind}"', error) from None
    confirm(context, f'ACL token "{kind}" set successfully', {"Type": kind, "Set": True})


COMMANDS = {
    "acl bootstrap": Command(bootstrap, format_flag("pretty"), usage="[SECRET]"),
    "acl set-agent-token": Command(
        set_agent_token, format_flag(), usage="TYPE TOKEN", about=f"TYPE is one of {', '.join(_AGENT_TOKENS)}."
    ),
}
