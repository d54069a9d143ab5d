"""Which check definitions an agent takes, and the texts it refuses the others with."""

from __future__ import annotations

from pyconsul.agent.health.definition import CheckDefinition, CheckError, is_alias
from pyconsul.agent.model.control_characters import fault_of_fields, fault_of_names

STATUSES = ("passing", "warning", "critical")
RESERVED_ID = "serfHealth"  # written by the agent alone: all sessions of the node end when it is critical
NO_SCRIPTS = "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true"
NO_LOCAL_SCRIPTS = (
    "Scripts are disabled on this agent; to enable, configure "
    "'enable_script_checks' or 'enable_local_script_checks' to true"
)


def validate(
    definition: CheckDefinition,
    enable_script_checks: bool,
    *,
    of_service: bool = False,
    from_file: bool = False,
    allow_control_characters: bool = False,
) -> None:
    """Raise CheckError when the agent must refuse the check.

    `of_service`: the check is part of a service's registration, where a name is not needed.  `from_file`: it comes from the
    agent's own configuration, for which `enable_script_checks` is to include `enable_local_script_checks`.
    """
    if of_service:
        _kind_or_refuse(definition)
        _known_status(definition, "Status for checks must 'passing', 'warning', 'critical'")
    else:
        if not definition.name:
            raise CheckError("Missing check name")
        _known_status(definition, "Bad check status")
        _kind_or_refuse(definition)
    if (definition.id or ("" if of_service else definition.name)) == RESERVED_ID:
        raise CheckError(
            f'Invalid check: the ID "{RESERVED_ID}" is reserved for the health of the node; choose another'
        )
    if not allow_control_characters and (fault := _control_character(definition)):
        raise CheckError(fault)
    if definition.script_args and not enable_script_checks:
        raise CheckError(NO_LOCAL_SCRIPTS if from_file else NO_SCRIPTS, status=500)


def _control_character(definition: CheckDefinition) -> str:
    return fault_of_names(definition.id, definition.name) or fault_of_fields(definition, "Check")


def _known_status(definition: CheckDefinition, text: str) -> None:
    if definition.status and definition.status not in STATUSES:
        raise CheckError(text)


def _kind_or_refuse(definition: CheckDefinition) -> None:
    fault = kind_fault(definition)
    if fault:
        raise CheckError(f"Invalid check: {fault}")


def kind_fault(definition: CheckDefinition) -> str:
    """Return the error in the schedule or target of a check; empty when it is valid."""
    polled = needs_interval(definition)
    alias = is_alias(definition)
    rules = (
        (definition.interval > 0 and definition.ttl > 0, "Interval and TTL cannot both be specified"),
        (
            polled and definition.interval <= 0,
            "Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks",
        ),
        (polled and alias, "Interval cannot be set for Alias checks"),
        (alias and definition.ttl > 0, "TTL must be not be set for Alias checks"),
        (not polled and not alias and definition.ttl <= 0, "TTL must be > 0 for TTL checks"),
        (definition.output_max_size < 0, "MaxOutputMaxSize must be positive"),
        (
            definition.failures_before_warning > definition.failures_before_critical,
            "FailuresBeforeWarning can't be higher than FailuresBeforeCritical",
        ),
    )
    return next((text for broken, text in rules if broken), "")


def needs_interval(definition: CheckDefinition) -> bool:
    """Return whether the agent runs this check periodically."""
    kinds = (definition.script_args, definition.http, definition.tcp, definition.udp, definition.grpc,
             definition.h2ping, definition.os_service)  # fmt: skip
    return any(kinds)
