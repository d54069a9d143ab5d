"""`pyconsul operator autopilot`: the settings for failing servers.

The API: https://developer.hashicorp.com/consul/api-docs/operator/autopilot
"""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import SECONDS, Option, seconds, switch, text, unsigned
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, document, format_flag

_PATH = "/v1/operator/autopilot/configuration"
_CLEANUP_DEAD_SERVERS = switch("cleanup-dead-servers", "Remove a dead server when a new one joins.")
_MAX_TRAILING_LOGS = unsigned("max-trailing-logs", "Maximum number of log entries that a healthy server may be behind.")
_MIN_QUORUM = unsigned("min-quorum", "Minimum number of servers that stay when dead ones are removed.")
_REDUNDANCY_ZONE_TAG = text("redundancy-zone-tag", "Metadata key of the zone of a server.")
_DISABLE_UPGRADE_MIGRATION = switch("disable-upgrade-migration", "Do not migrate to servers of a new version.")
_UPGRADE_VERSION_TAG = text("upgrade-version-tag", "Metadata key of the version of a server.")
#: The settings in the order of output, with their types.
_SETTINGS: tuple[tuple[str, Option[Any]], ...] = (
    ("CleanupDeadServers", _CLEANUP_DEAD_SERVERS),
    ("LastContactThreshold", seconds("last-contact-threshold", "Maximum time without contact for a healthy server.")),
    ("MaxTrailingLogs", _MAX_TRAILING_LOGS),
    ("MinQuorum", _MIN_QUORUM),
    (
        "ServerStabilizationTime",
        seconds("server-stabilization-time", "Time until a new server gets its vote, and a failed one is removed."),
    ),
    ("RedundancyZoneTag", _REDUNDANCY_ZONE_TAG),
    ("DisableUpgradeMigration", _DISABLE_UPGRADE_MIGRATION),
    ("UpgradeVersionTag", _UPGRADE_VERSION_TAG),
)


def get_config(context: Context) -> None:
    """Print the settings."""
    config = _read(context)
    if document(context, config):
        return
    for name, _ in _SETTINGS:
        context.out(f"{name} = {_shown(name, config.get(name))}")


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bool) or name in ("DisableUpgradeMigration", "CleanupDeadServers"):
        return "true" if value else "false"
    if name.endswith("Tag"):
        return f'"{value or ""}"'
    return str(value if value is not None else 0)


def set_config(context: Context) -> None:
    """Change the given settings, unless one has changed meanwhile."""
    if context.args.rest:
        raise UsageError(f"Too many arguments (expected 0, got {len(context.args.rest)})")
    config = _read(context)
    for name, option in _SETTINGS:
        if context.args.given(option):
            config[name] = _wire(context, option)
    query = {"cas": str(config.get("ModifyIndex", 0))}
    try:
        changed = context.client.put(_PATH, query, config)
    except CliError as error:
        raise during("Error setting Autopilot configuration", error) from None
    if changed is False:
        raise CliError("Configuration could not be atomically updated, please try again", Status.CONFLICT)
    confirm(context, "Configuration updated!", config)


def _wire(context: Context, option: Option[Any]) -> Any:
    """Return a flag's value as the API takes it."""
    from pyconsul.agent.common.go.durations import format_go_duration_s

    value = context.args[option]
    return format_go_duration_s(value) if option.kind is SECONDS else value


def _read(context: Context) -> dict[str, Any]:
    try:
        config: dict[str, Any] = context.client.get(_PATH)
    except CliError as error:
        raise during("Error querying Autopilot configuration", error) from None
    return config


def state(context: Context) -> None:
    """Print how the servers are."""
    if context.args[_STATE_FORMAT] not in _STATE_FORMATS:
        raise CliError(f"Unknown format: {context.args[_STATE_FORMAT]}")
    try:
        found = context.client.get("/v1/operator/autopilot/state")
    except CliError as error:
        raise during("Error querying Autopilot state", error) from None
    if document(context, found):
        return
    context.out(f"Healthy:                      {_boolean(found['Healthy'])}")
    context.out(f"Failure Tolerance:            {found['FailureTolerance']}")
    context.out(f"Optimistic Failure Tolerance: {found.get('OptimisticFailureTolerance', 0)}")
    context.out(f"Leader:                       {found['Leader']}")
    context.out("Voters:")
    for voter in found.get("Voters") or ():
        context.out(f"   {voter}")
    for proposal in found.get("Proposals") or ():
        context.out(f"Kept:                         {proposal}")
    context.out("Servers:")
    for _, server in sorted((found.get("Servers") or {}).items()):
        _print_server(context, server)


def _print_server(context: Context, server: dict[str, Any]) -> None:
    context.out(f"   {server['ID']}")
    rows = (
        ("Name", server["Name"]),
        ("Address", server["Address"]),
        ("Version", server["Version"]),
        ("Status", server["Status"]),
        ("Node Type", server.get("NodeType", "")),
        ("Node Status", server["NodeStatus"]),
        ("Healthy", _boolean(server["Healthy"])),
        ("Last Contact", server["LastContact"]),
        ("Last Term", server["LastTerm"]),
        ("Last Index", server["LastIndex"]),
    )
    for name, value in rows:
        context.out(f"      {name + ':':<16} {value}")
    if server.get("Meta"):
        context.out("      Meta")
        for key, value in sorted(server["Meta"].items()):
            context.out(f'         "{key}": "{value}"')


def _boolean(value: bool) -> str:
    return "true" if value else "false"


_STATE_FORMATS = ("pretty", "table", "json", "yaml")
_STATE_FORMAT = text("format", f"Output format: {', '.join(_STATE_FORMATS)}.", _STATE_FORMATS[0], metavar="format")
COMMANDS = {
    "operator autopilot get-config": Command(get_config, format_flag()),
    "operator autopilot set-config": Command(set_config, *(flag for _, flag in _SETTINGS), format_flag()),
    "operator autopilot state": Command(state, _STATE_FORMAT),
}
