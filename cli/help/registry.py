"""Every command of `pyconsul`: its name, its module below `commands/`, and its description.

A module's own `COMMANDS` maps the names it holds to their `Command`s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyconsul.cli.help.command import Command

#: Groups of commands.
GROUPS: dict[str, str] = {
    "acl": "Manage access control: tokens, policies, roles, logins",
    "acl auth-method": "Manage auth methods (JWT login)",
    "acl binding-rule": "Manage the binding rules of auth methods",
    "acl policy": "Manage policies",
    "acl role": "Manage roles",
    "acl templated-policy": "Show templated policies",
    "acl token": "Manage tokens",
    "catalog": "List datacenters, nodes and services",
    "cluster": "Show what a cluster does",
    "kv": "Manage keys and values",
    "operator": "Tools for cluster operators",
    "operator autopilot": "Manage server health (autopilot)",
    "operator raft": "Manage Raft peers",
    "operator usage": "Count nodes, services and instances",
    "services": "Manage the services of the local agent",
    "session": "Manage sessions, which hold locks",
    "snapshot": "Save, inspect and restore the state of the agent",
}

_AUTH, _BINDING, _POLICY = "acl.auth_method", "acl.binding_rule", "acl.policy"
_ROLE, _TEMPLATED, _TOKEN = "acl.role", "acl.templated_policy", "acl.token"

#: name: (module below `commands`, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "acl auth-method create": (_AUTH, "Create an auth method"),
    "acl auth-method delete": (_AUTH, "Delete an auth method"),
    "acl auth-method list": (_AUTH, "List the auth methods"),
    "acl auth-method read": (_AUTH, "Read an auth method"),
    "acl auth-method update": (_AUTH, "Change an auth method"),
    "acl binding-rule create": (_BINDING, "Create a binding rule"),
    "acl binding-rule delete": (_BINDING, "Delete a binding rule"),
    "acl binding-rule list": (_BINDING, "List the binding rules"),
    "acl binding-rule read": (_BINDING, "Read a binding rule"),
    "acl binding-rule update": (_BINDING, "Change a binding rule"),
    "acl bootstrap": ("acl.bootstrap", "Create the first management token"),
    "acl explain": ("acl.explain", "Explain why a token may or may not do something"),
    "acl policy create": (_POLICY, "Create a policy"),
    "acl policy delete": (_POLICY, "Delete a policy"),
    "acl policy list": (_POLICY, "List the policies"),
    "acl policy read": (_POLICY, "Read a policy"),
    "acl policy update": (_POLICY, "Change a policy"),
    "acl role create": (_ROLE, "Create a role"),
    "acl role delete": (_ROLE, "Delete a role"),
    "acl role list": (_ROLE, "List the roles"),
    "acl role read": (_ROLE, "Read a role"),
    "acl role update": (_ROLE, "Change a role"),
    "acl set-agent-token": ("acl.bootstrap", "Set one of the agent's tokens"),
    "acl templated-policy list": (_TEMPLATED, "List the templates"),
    "acl templated-policy preview": (_TEMPLATED, "Show the policy that a template renders"),
    "acl templated-policy read": (_TEMPLATED, "Read a template"),
    "acl token clone": (_TOKEN, "Create a token with the permissions of another"),
    "acl token create": (_TOKEN, "Create a token"),
    "acl token delete": (_TOKEN, "Delete a token"),
    "acl token list": (_TOKEN, "List the tokens"),
    "acl token read": (_TOKEN, "Read a token"),
    "acl token update": ("acl.token_update", "Change a token"),
    "catalog datacenters": ("catalog.lists", "List the datacenters"),
    "catalog nodes": ("catalog.lists", "List the nodes"),
    "catalog services": ("catalog.lists", "List the services"),
    "cluster demo": ("cluster.demo", "Run a live demonstration: three servers that lose one and lose nothing"),
    "debug": ("agent.debug", "Record metrics and state of an agent into an archive"),
    "demo": ("demo", "Run a live demonstration: agent, web servers, HAProxy"),
    "doctor": ("doctor", "Diagnose problems and suggest solutions"),
    "event": ("event", "Fire an event"),
    "exec": ("exec", "Not provided; explains what to use instead"),
    "force-leave": ("cluster.join", "Mark a failed member as left"),
    "health": ("catalog.health", "Show services and their checks"),
    "info": ("agent.info", "Show runtime statistics of the agent"),
    "join": ("cluster.join", "Join the agent to a cluster"),
    "keygen": ("cluster.keygen", "Generate a gossip encryption key"),
    "keyring": ("cluster.keyring", "Manage gossip encryption keys"),
    "kv copy": ("kv.move", "Copy a key, or all below a prefix"),
    "kv delete": ("kv.write", "Delete a key, or all below a prefix"),
    "kv diff": ("kv.sync", "Compare a folder or an export with the store"),
    "kv edit": ("kv.edit", "Change a value in an editor"),
    "kv export": ("kv.transfer", "Export a tree as JSON"),
    "kv get": ("kv.get", "Read keys and values"),
    "kv history": ("kv.history", "Show earlier versions of a key"),
    "kv import": ("kv.transfer", "Import an exported tree"),
    "kv move": ("kv.move", "Move or rename a key, or all below a prefix"),
    "kv put": ("kv.write", "Write a value"),
    "kv rollback": ("kv.history", "Restore keys to their values at an index"),
    "kv sync": ("kv.sync", "Write a folder or an export to the store"),
    "kv tree": ("kv.tree", "Show the keys as a tree"),
    "kv watch": ("kv.watch", "Follow changes of a key or a tree"),
    "leave": ("cluster.join", "Make the agent leave the cluster and shut down"),
    "lock": ("lock", "Run a command while holding a lock"),
    "login": ("acl.login", "Get a token from an auth method"),
    "logout": ("acl.login", "Destroy the token created by login"),
    "maint": ("catalog.maint", "Control maintenance mode"),
    "members": ("cluster.members", "List the members of the cluster"),
    "monitor": ("agent.monitor", "Follow the agent's log"),
    "operator autopilot get-config": ("operator.autopilot", "Show autopilot's settings"),
    "operator autopilot set-config": ("operator.autopilot", "Change autopilot's settings"),
    "operator autopilot state": ("operator.autopilot", "Show the servers' health"),
    "operator raft list-peers": ("operator.raft", "List the servers"),
    "operator raft remove-peer": ("operator.raft", "Remove a server"),
    "operator raft transfer-leader": ("operator.raft", "Transfer leadership to another server"),
    "operator recover": ("operator.recover", "Go on after most servers were lost for good"),
    "operator usage instances": ("operator.usage", "Count services and instances"),
    "registrator": ("registrator", "Register containers as services"),
    "registrator drain": ("registrator", "Take a container out of operation, and stop it"),
    "reload": ("agent.reload", "Reload the configuration of the agent"),
    "rtt": ("cluster.rtt", "Estimate the round trip time between nodes"),
    "services deregister": ("catalog.services", "Deregister services"),
    "services list": ("catalog.services", "List the agent's services"),
    "services register": ("catalog.services", "Register services"),
    "session create": ("session", "Create a session"),
    "session destroy": ("session", "Destroy sessions"),
    "session list": ("session", "List the sessions"),
    "snapshot decode": ("snapshot", "Print the records of a snapshot as lines of JSON"),
    "snapshot inspect": ("snapshot", "Show the content of a snapshot"),
    "snapshot restore": ("snapshot", "Restore a snapshot into the agent"),
    "snapshot save": ("snapshot", "Save the agent's state to a file"),
    "validate": ("agent.validate", "Check configuration files"),
    "version": ("version", "Print the version"),
    "watch": ("watch", "Watch for changes and run a handler"),
}

#: Not below `find`: the agent reads its own command line.
AGENT = "Run an agent"


def find(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the longest command or group that the words begin with, "" if none, and the words after it."""
    name = ""
    for position, word in enumerate(words):
        longer = f"{name} {word}".lstrip()
        if longer in COMMANDS:
            rest = list(words[position + 1 :])
            # `registrator` is a command, and `registrator drain` another one.
            deeper = f"{longer} {rest[0]}" if rest else ""
            return (deeper, rest[1:]) if deeper in COMMANDS else (longer, rest)
        if longer not in GROUPS:
            return name, list(words[position:])
        name = longer
    return name, []


def load(name: str) -> Command:
    """Import a command."""
    module = COMMANDS[name][0]
    # importlib would be another import at every start; __import__ returns the leaf module when given names.
    commands: dict[str, Command] = __import__(f"pyconsul.cli.commands.{module}", fromlist=["COMMANDS"]).COMMANDS
    return commands[name]
