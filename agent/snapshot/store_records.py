"""Rows of keys, tombstones, sessions, prepared queries and autopilot as records, and back."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.model.autopilot import AutopilotSettings
from pyconsul.agent.model.kv import KVEntry, Tombstone
from pyconsul.agent.model.query import Failover, FailoverTarget, PreparedQuery, QueryDNS, ServiceQuery, Template
from pyconsul.agent.model.session import ServiceCheck, Session
from pyconsul.agent.snapshot.fields import Fields

UINT64 = (1 << 64) - 1


def read_entry(record: Fields) -> KVEntry:
    return KVEntry(
        lock_index=record.index("LockIndex"),
        key=record.text("Key"),
        flags=record.integer("Flags", 0, UINT64),
        value=record.data("Value") or None,
        create_index=record.index("CreateIndex"),
        modify_index=record.index("ModifyIndex"),
        session=record.text("Session"),
    )


def entry(row: KVEntry) -> dict[str, Any]:
    return {
        "CreateIndex": row.create_index,
        "Flags": row.flags,
        "Key": row.key,
        "LockIndex": row.lock_index,
        "ModifyIndex": row.modify_index,
        "Session": row.session,
        "Value": row.value,
    }


def read_tombstone(record: Fields, now: float) -> Tombstone:
    """Return a tombstone with the present time, so that it is kept for the full period."""
    return Tombstone(record.text("Key"), record.index("ModifyIndex"), now)


def tombstone(row: Tombstone) -> dict[str, Any]:
    """Return a tombstone's record: a key with nothing but the index of its deletion."""
    return entry(KVEntry(0, row.key, 0, None, 0, row.index))


def read_session(record: Fields) -> Session:
    node_checks = record.texts("NodeChecks")
    if node_checks is None:
        node_checks = record.texts("Checks")  # the name before Consul 1.7
    checks = [ServiceCheck(one.text("ID"), one.text("Namespace")) for one in record.parts("ServiceChecks")]
    return Session(
        id=record.text("ID"),
        name=record.text("Name"),
        node=record.text("Node"),
        lock_delay=record.integer("LockDelay", 0),
        behavior=record.text("Behavior"),
        ttl=record.text("TTL"),
        node_checks=node_checks,
        service_checks=None if record.items("ServiceChecks") is None else checks,
        create_index=record.index("CreateIndex"),
        modify_index=record.index("ModifyIndex"),
    )


def session(row: Session) -> dict[str, Any]:
    checks = row.service_checks
    return {
        "Behavior": row.behavior,
        "Checks": None,
        "CreateIndex": row.create_index,
        "ID": row.id,
        "LockDelay": row.lock_delay,
        "ModifyIndex": row.modify_index,
        "Name": row.name,
        "Node": row.node,
        "NodeChecks": row.node_checks,
        "ServiceChecks": None if checks is None else [{"ID": one.id, "Namespace": one.namespace} for one in checks],
        "TTL": row.ttl,
    }


def read_query(record: Fields) -> PreparedQuery:
    template, service, dns = record.part("Template"), record.part("Service"), record.part("DNS")
    return PreparedQuery(
        id=record.text("ID"),
        name=record.text("Name"),
        session=record.text("Session"),
        token=record.text("Token"),
        template=Template() if template is None else _template(template),
        service=ServiceQuery() if service is None else _service_query(service),
        dns=QueryDNS() if dns is None else QueryDNS(dns.text("TTL")),
        create_index=record.index("CreateIndex"),
        modify_index=record.index("ModifyIndex"),
    )


def _template(part: Fields) -> Template:
    return Template(part.text("Type"), part.text("Regexp"), part.flag("RemoveEmptyTags"))


def _service_query(part: Fields) -> ServiceQuery:
    failover = part.part("Failover")
    return ServiceQuery(
        service=part.text("Service"),
        sameness_group=part.text("SamenessGroup"),
        failover=Failover() if failover is None else _failover(failover),
        only_passing=part.flag("OnlyPassing"),
        ignore_check_ids=part.texts("IgnoreCheckIDs"),
        near=part.text("Near"),
        tags=part.texts("Tags"),
        node_meta=part.text_map("NodeMeta"),
        service_meta=part.text_map("ServiceMeta"),
        connect=part.flag("Connect"),
        peer=part.text("Peer"),
    )


def _failover(part: Fields) -> Failover:
    targets = part.items("Targets")
    return Failover(
        nearest_n=part.integer("NearestN"),
        datacenters=part.texts("Datacenters"),
        targets=None
        if targets is None
        else [
            FailoverTarget(peer=one.text("Peer"), datacenter=one.text("Datacenter")) for one in part.parts("Targets")
        ],
    )


def query(row: PreparedQuery) -> dict[str, Any]:
    template, service = row.template, row.service
    targets = service.failover.targets
    return {
        "CreateIndex": row.create_index,
        "DNS": {"TTL": row.dns.ttl},
        "ID": row.id,
        "ModifyIndex": row.modify_index,
        "Name": row.name,
        "Service": {
            "Connect": service.connect,
            "Failover": {
                "Datacenters": service.failover.datacenters,
                "NearestN": service.failover.nearest_n,
                "Targets": None
                if targets is None
                else [{"Datacenter": one.datacenter, "Peer": one.peer} for one in targets],
            },
            "IgnoreCheckIDs": service.ignore_check_ids,
            "Near": service.near,
            "NodeMeta": service.node_meta,
            "OnlyPassing": service.only_passing,
            "Peer": service.peer,
            "SamenessGroup": service.sameness_group,
            "Service": service.service,
            "ServiceMeta": service.service_meta,
            "Tags": service.tags,
        },
        "Session": row.session,
        "Template": {
            "Regexp": template.regexp,
            "RemoveEmptyTags": template.remove_empty_tags,
            "Type": template.type,
        },
        "Token": row.token,
    }


def read_autopilot(record: Fields) -> AutopilotSettings:
    return AutopilotSettings(
        cleanup_dead_servers=record.flag("CleanupDeadServers"),
        last_contact_threshold=record.integer("LastContactThreshold"),
        max_trailing_logs=record.integer("MaxTrailingLogs", 0),
        min_quorum=record.integer("MinQuorum", 0),
        server_stabilization_time=record.integer("ServerStabilizationTime"),
        redundancy_zone_tag=record.text("RedundancyZoneTag"),
        disable_upgrade_migration=record.flag("DisableUpgradeMigration"),
        upgrade_version_tag=record.text("UpgradeVersionTag"),
        create_index=record.index("CreateIndex"),
        modify_index=record.index("ModifyIndex"),
    )


def autopilot(row: AutopilotSettings) -> dict[str, Any]:
    return {
        "CleanupDeadServers": row.cleanup_dead_servers,
        "CreateIndex": row.create_index,
        "DisableUpgradeMigration": row.disable_upgrade_migration,
        "LastContactThreshold": row.last_contact_threshold,
        "MaxTrailingLogs": row.max_trailing_logs,
        "MinQuorum": row.min_quorum,
        "ModifyIndex": row.modify_index,
        "RedundancyZoneTag": row.redundancy_zone_tag,
        "ServerStabilizationTime": row.server_stabilization_time,
        "UpgradeVersionTag": row.upgrade_version_tag,
    }
