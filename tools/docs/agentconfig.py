"""The page pyconsul-agent-config(5): every key of the agent's configuration files, from the declarations that the agent reads."""

from __future__ import annotations

from collections.abc import Iterator

from pyconsul.agent.config.compat import REFUSED, RENAMED, SILENT, UNSUPPORTED
from pyconsul.agent.config.table import ROOT, Kind, Section, Setting
from pyconsul.tools.docs import roff
from pyconsul.tools.docs.roff import Entry, Page

NAME = "pyconsul-agent-config"

_ABOUT = (
    "The agent reads its settings in this order, later ones over earlier ones: defaults, what -dev sets, the files and folders "
    "of -config-file and -config-dir in the order given (files of a folder by name, .json and .hcl), -hcl, other flags. "
    "Lists of several files are put together, maps are merged, other values are replaced.",
    "Files are JSON or HCL, with Consul's keys. A key that is not known is an error that names the nearest known one; all mistakes "
    "of the files are reported at once, with file, line and column. pyconsul-validate(1) checks files without starting an agent.",
    "Each entry below shows the type, the default, the flags of pyconsul-agent(1) that set it, and whether a reload takes it. "
    'Durations are written with units, such as "10s" or "1h30m"; sizes are bytes. Keys with a dot stand in a section: '
    "ports.http is http in ports { }.",
    'A setting that is marked "not supported" is accepted and has no effect; when it is given, one warning at the start says so. A '
    'setting that is marked "refused" stops the start, because it would be unsafe to ignore it.',
)
_EXAMPLE = (
    'data_dir = "/var/lib/pyconsul"',
    'node_name = "db7"',
    "ports { http = 8500 dns = 8600 }",
    'acl { enabled = true default_policy = "deny" }',
    "service {",
    'name = "web"',
    "port = 8001",
    'check { http = "http://127.0.0.1:8001/" interval = "10s" }',
    "}",
)
_SIGNALS: tuple[Entry, ...] = (
    ("SIGHUP", "Read the files again: services, checks, watches, tokens, and every setting that is marked reloadable. When a file "
     "has a mistake, nothing changes and the log says why. pyconsul reload and PUT /v1/agent/reload do the same."),
    ("SIGTERM, SIGINT", "Stop in order. Requests that run are answered first."),
)  # fmt: skip
_FILES: tuple[Entry, ...] = (
    ("data_dir/raft/state.db, state.db-wal, state.mark", "Catalog, keys, sessions and access control of a server."),
    ("data_dir/raft/cluster", "Data of a server in a cluster."),
    (
        "data_dir/services, data_dir/checks",
        "Services and checks that were registered with this agent, a JSON file each.",
    ),
    ("data_dir/serf", "Members that were known, and the gossip keys."),
    ("data_dir/node-id", "The node's ID."),
    ("data_dir/acl-tokens.json", "Tokens that were set over the API, with acl.enable_token_persistence."),
)
_SYSTEMD = (
    "With NOTIFY_SOCKET set (Type=notify), the agent reports READY when it serves, RELOADING during a reload, STATUS, STOPPING, "
    "and signs of life for WatchdogSec=."
)


def page() -> Page:
    """Return the page."""
    sections = [roff.Section("DESCRIPTION", _ABOUT)]
    sections += [_section(section) for section in _sections(ROOT)]
    sections += [
        roff.Section("DEFINITIONS", _DEFINITIONS),
        roff.Section("KEYS WITHOUT EFFECT", [_UNSUPPORTED], list(_unsupported_keys())),
        roff.Section("OLD NAMES", ["Old names of keys are read with a warning:"], sorted(_renamed())),
        roff.Section("SIGNALS", entries=_SIGNALS),
        roff.Section("SYSTEMD", [_SYSTEMD]),
        roff.Section("FILES", entries=_FILES),
        roff.Section("EXAMPLES", literal=_EXAMPLE),
    ]
    return Page(
        NAME,
        "configuration files of pyconsul agent",
        "pyconsul agent",
        "-config-dir=FOLDER",
        sections,
        ["pyconsul-agent", "pyconsul-validate", "pyconsul-reload"],
        number=5,
    )


_DEFINITIONS = (
    "service, services, check and checks hold one definition or a list of them. A service has name, id, port, address, tags, "
    "meta, tagged_addresses, weights { passing warning }, enable_tag_override, token, and check or checks. A check has one of "
    "http, tcp, udp, grpc, h2ping, args, docker_container_id with args, os_service, ttl, alias_service or alias_node, and "
    "interval, timeout, id, name, notes, service_id, status, token, success_before_passing, failures_before_warning, "
    "failures_before_critical, deregister_critical_service_after. HTTP checks also take method, header, body, "
    "disable_redirects, tls_skip_verify, tls_server_name, output_max_size.",
)
_UNSUPPORTED = (
    "These keys of Consul, with all that stand below them, are accepted so that files of Consul go on working. What is missing is "
    "said behind each; a warning at the start names those that are given."
)


def _sections(section: Section) -> Iterator[Section]:
    yield section
    for entry in section.entries.values():
        if isinstance(entry, Section):
            yield from _sections(entry)


def _section(section: Section) -> roff.Section:
    rows = [entry for entry in section.entries.values() if isinstance(entry, Setting) and not entry.note.flag_only]
    title = f"SETTINGS: {section.key}" if section.key else "SETTINGS"
    return roff.Section(title, [section.doc] if section.key else (), [_entry(row) for row in rows])


def _entry(row: Setting) -> Entry:
    note = row.note
    words = [note.doc]
    if row.kind not in (Kind.DEFINITIONS, Kind.OBJECTS):
        words.append(f"Default: {row.default_text.removesuffix('.') or 'none'}.")
    if note.flags:
        words.append(f"Flags: {', '.join(f'-{flag}' for flag in note.flags)}.")
    if note.reloadable:
        words.append("Reloadable.")
    if note.unsupported:
        words.append(f"Not supported: {note.unsupported}.")
    if note.refused:
        words.append(f"Refused: {note.refused}.")
    return f"{row.key} ({row.kind.value})", " ".join(words)


def _unsupported_keys() -> Iterator[Entry]:
    for key, about in sorted(UNSUPPORTED.items()):
        if key in REFUSED:
            yield key, f"Refused: {REFUSED[key]}."
        else:
            yield key, f"{about[0].upper()}{about[1:]}." + (" Without a warning." if key in SILENT else "")


def _renamed() -> Iterator[Entry]:
    for old, new in RENAMED.items():
        yield old, f"Now {new}."
