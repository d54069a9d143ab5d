"""This agent: versions, figures in brief, and its actions."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pyconsul.agent.ui.contract import Action, Field, Outcome, Page, PageRoute, Question, Refused
from pyconsul.agent.ui.shown import duration, number, plural, size
from pyconsul.agent.ui.visit import Visit

REFRESH_S = 2.0
BEHIND = "behind"  # state of anti-entropy


@dataclass(frozen=True, slots=True)
class Figure:
    """A number about the agent.  state: "" unless it is bad."""

    name: str
    text: str
    state: str = ""


async def show(visit: Visit) -> Page:
    """Show the agent."""
    about: Mapping[str, Any] = await visit.get("/v1/agent/self")
    metrics: Mapping[str, Any] = await visit.get("/v1/agent/metrics")
    prefix = visit.config.telemetry.metrics_prefix + "."
    gauges = {one["Name"].removeprefix(prefix): one["Value"] for one in metrics["Gauges"]}
    counters = {one["Name"].removeprefix(prefix): one["Count"] for one in metrics["Counters"]}
    config, stats = about["Config"], about["Stats"]
    name = config["NodeName"]
    write_lacks = visit.lacks("agent:write", name)
    data = {
        "name": name,
        "role": role(config, stats),
        "about": about_agent(config, stats, _uptime(visit)),
        "figures": figures(gauges, stats),
        "counters": sorted(counters.items()),
        "problem": stats["sync"]["error"] if stats["sync"]["state"] == BEHIND else "",
        "warnings": visit.config.warnings,
        "write_lacks": write_lacks,
        "tab": "agent",
    }
    return Page("agent.html", f"Agent {name}", "agent", data, refresh_s=REFRESH_S)


def _uptime(visit: Visit) -> float:
    return max(0.0, visit.now - visit.context.started)


def role(config: Mapping[str, Any], stats: Mapping[str, Any]) -> str:
    """Return what the agent is in its datacenter."""
    if not config["Server"]:
        return "client agent"
    return "server, leader" if stats["consul"]["leader"] == "true" else "server"


def about_agent(config: Mapping[str, Any], stats: Mapping[str, Any], uptime_s: float) -> list[tuple[str, str]]:
    """Return names and values that do not change, the uptime in whole minutes apart."""
    runtime = stats["runtime"]
    return [
        ("Node ID", config["NodeID"]),
        ("Datacenter", config["Datacenter"]),
        ("pyconsul", own_version()),
        ("Behaves like Consul", config["Version"]),
        ("Python", runtime["version"].removeprefix("python")),
        ("System", f"{runtime['os']}, {runtime['arch']}, {plural(int(runtime['cpu_count']), 'processor')}"),
        ("Access control", stats["consul"]["acl"]),
        ("Running for", duration(uptime_s // 60 * 60) if uptime_s >= 60 else "less than a minute"),
    ]


def own_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("pyconsul")
    except PackageNotFoundError:  # run from a checkout
        return "not installed"


def figures(gauges: Mapping[str, float], stats: Mapping[str, Any]) -> list[Figure]:
    """Return the numbers that tell how the agent does; bad ones have a state."""
    lan, sync = stats["serf_lan"], stats["sync"]
    behind = sync["state"] == BEHIND
    failed = int(lan.get("failed", 0))
    found = [
        Figure("Memory", size(int(gauges.get("runtime.resident_bytes", 0)))),
        Figure("Processor time", duration(gauges.get("runtime.cpu_seconds", 0.0))),
        Figure("Services and checks", f"{stats['agent']['services']} and {stats['agent']['checks']}"),
        Figure(
            "Catalog",
            f"{duration(float(sync['behind_seconds']))} behind" if behind else "up to date with this agent",
            "critical" if behind else "",
        ),
        Figure(
            "Gossip members",
            f"{lan.get('members', '?')}, {failed} failed" if failed else lan.get("members", "?"),
            "warning" if failed else "",
        ),
    ]
    if (lag := gauges.get("runtime.loop_lag_max_ms")) is not None:
        found.append(Figure("Longest pause of the event loop", f"{lag:,.0f} ms", "warning" if lag > 1000 else ""))
    if (health := int(lan.get("health_score", 0))) > 0:
        found.append(Figure("Gossip health score", f"{health} (0 is good)", "warning"))
    if "state.kv_entries" in gauges:
        found.append(Figure("Keys", number(int(gauges["state.kv_entries"]))))
        found.append(Figure("Sessions", number(int(gauges["session.active"]))))
        found.append(Figure("Index", number(int(stats["raft"]["applied_index"]))))
    if (dns := stats.get("dns")) is not None:
        held = f"{dns['held_rows']} rows of {dns['held_parts']} names, the oldest confirmed "
        found.append(Figure("Held for DNS", held + f"{duration(float(dns['oldest_age_seconds']))} ago"))
    return found


# Actions


def ask_reload(visit: Visit) -> Question:
    """Ask before the settings are read again."""
    files = len(visit.config.origin.files)
    return Question(
        "Reload the settings?",
        (
            f"Reads {plural(files, 'configuration file')} and the flags of the start again. Services and checks of files are "
            "registered or removed as they say now; settings that need a restart are named in the log.",
            "A mistake in a file changes nothing.",
        ),
        "Reload the settings",
        "pyconsul reload",
        lacks=visit.lacks("agent:write", visit.config.node_name),
    )


async def reload(visit: Visit) -> Outcome:
    """Read the settings again."""
    await visit.send("PUT", "/v1/agent/reload", failed="The settings were not reloaded")
    return Outcome("The settings are reloaded.")


def ask_join(visit: Visit) -> Question:
    """Ask which agent to join."""
    return Question(
        "Join another agent",
        ("This agent and that one become members of one pool, with all members that they know.",),
        "Join",
        "pyconsul join ADDRESS",
        fields=(Field("address", "Address", required=True, hint="Host or IP address, with :PORT unless it is 8301."),),
        lacks=visit.lacks("agent:write", visit.config.node_name),
    )


async def join(visit: Visit) -> Outcome:
    """Join another agent."""
    address = visit.form.get("address", "").strip()
    if not address:
        raise Refused("No agent was joined", address="An address is needed.")
    answer = await visit.send("PUT", f"/v1/agent/join/{address}", failed=f"{address} was not joined")
    warning = answer.headers.get("x-pyconsul-warning", "")
    return Outcome(f"Joined {address}.", failures=(warning,) if warning else ())


def ask_leave(visit: Visit) -> Question:
    """Ask before the agent leaves and stops."""
    name = visit.config.node_name
    what = "A server gives up its vote first; look at the page Servers before." if visit.config.server else ""
    local = visit.context.agent.local
    return Question(
        f"Let {name} leave?",
        (
            f"The agent leaves the cluster and stops; {plural(len(local.services), 'service')} and "
            f"{plural(len(local.checks), 'check')} of it go from the catalog, and this page ends with it.",
            *((what,) if what else ()),
            "It has to be started again on its machine.",
        ),
        f"Let {name} leave and stop",
        f"pyconsul leave -http-addr {shlex.quote(visit.request.headers.get(b'host', b'').decode('latin-1'))}",
        destructive=True,
        lacks=visit.lacks("agent:write", name),
    )


async def leave(visit: Visit) -> Outcome:
    """Let the agent leave and stop."""
    await visit.send("PUT", "/v1/agent/leave", failed="The agent has not left")
    return Outcome("The agent leaves and stops.")


ACTIONS = {"reload": Action(reload, ask_reload), "join": Action(join, ask_join), "leave": Action(leave, ask_leave)}
PAGES = (PageRoute("agent", show, ACTIONS, local=True),)
