"""The settings of autopilot (https://developer.hashicorp.com/consul/api-docs/operator/autopilot)."""

from __future__ import annotations

import msgspec

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.model.wire import camel


class AutopilotSettings(msgspec.Struct, frozen=True, kw_only=True, rename=camel):
    """How servers are looked after; durations are in nanoseconds."""

    cleanup_dead_servers: bool = True
    last_contact_threshold: int = SECOND_NS // 5
    max_trailing_logs: int = 250
    min_quorum: int = 0
    server_stabilization_time: int = 10 * SECOND_NS
    redundancy_zone_tag: str = ""
    disable_upgrade_migration: bool = False
    upgrade_version_tag: str = ""
    create_index: int = 0
    modify_index: int = 0
