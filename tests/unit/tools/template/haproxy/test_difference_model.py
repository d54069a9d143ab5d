"""Whatever the servers were and shall be: the commands, carried out on a table of servers, lead there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.template.haproxy.config import Server, parse
from pyconsul.tools.template.haproxy.difference import difference
from pyconsul.tools.template.haproxy.servers import NeedsReload, settings_of

Row = dict[str, str]


@dataclass
class Table:
    """What HAProxy knows of one backend's servers, changed by commands alone; refuses what HAProxy refuses."""

    rows: dict[str, Row] = field(default_factory=dict)

    def load(self, servers: list[Server]) -> None:
        self.rows = {server.name: row_of(server) for server in servers}

    def carry_out(self, command: str) -> None:
        words = command.split()
        name = next(word for word in words if word.startswith("b/")).removeprefix("b/")
        if command.startswith("add server"):
            assert name not in self.rows
            fake = parse([f"backend b\n server {name} {' '.join(words[3:])}\n"])[0].servers[0]
            # A new server is out of use, and not checked.
            self.rows[name] = row_of(fake) | {"disabled": "yes", "checked": ""}
            return
        row = self.rows[name]
        if command.startswith("enable health"):
            assert row["check"]
            row["checked"] = "yes"
        elif found := re.fullmatch(r"set server \S+ addr (\S+) port (\d+)", command):
            row["address"] = f"{found[1]}:{found[2]}"
        elif found := re.fullmatch(r"set server \S+ weight (\d+)", command):
            row["weight"] = found[1]
        elif found := re.fullmatch(r"set maxconn server \S+ (\d+)", command):
            row["maxconn"] = found[1]
        elif found := re.fullmatch(r"set server \S+ state (maint|ready)", command):
            row["disabled"] = "yes" if found[1] == "maint" else ""
        else:
            assert command.endswith(" health up"), command

    def delete(self, name: str) -> None:
        assert self.rows[name]["disabled"]
        del self.rows[name]


def row_of(server: Server) -> Row:
    settings = settings_of(server)
    assert settings is not None
    return {
        "address": server.address,
        "weight": settings.get("weight", "1"),
        "maxconn": settings.get("maxconn", "0"),
        "disabled": "yes" if "disabled" in settings else "",
        "check": "yes" if "check" in settings else "",
        "checked": "yes" if "check" in settings else "",
        "inter": settings.get("inter", ""),
    }


NAMES = st.sampled_from(["web1", "web2", "web3", "web4", "n-5"])
SETTINGS = st.lists(
    st.sampled_from(["weight 1", "weight 50", "maxconn 0", "maxconn 9", "disabled", "enabled", "check", "inter 1s"]),
    max_size=3,
)
SERVERS = st.dictionaries(NAMES, st.tuples(st.integers(1, 9), st.integers(80, 82), SETTINGS), max_size=5).map(
    lambda servers: [f"{name} 10.0.0.{ip}:{port} {' '.join(rest)}" for name, (ip, port, rest) in servers.items()]
)
STEPS = st.lists(st.tuples(SERVERS, st.sets(NAMES)), min_size=1, max_size=5)
DEFAULTS = st.sampled_from(["", "default-server check", "default-server weight 50 inter 1s", "default-server disabled"])


@given(SERVERS, STEPS, DEFAULTS)
def test_the_commands_lead_from_any_servers_to_any_others(
    servers: list[str], steps: list[tuple[list[str], set[str]]], defaults: str
) -> None:
    head = f"backend b\n {defaults}\n"
    old, table = parse([head + "".join(f" server {one}\n" for one in servers)]), Table()
    leaving: dict[str, Server] = {}
    table.load(old[0].servers)
    for wanted, busy in steps:
        new = parse([head + "".join(f" server {one}\n" for one in wanted)])
        try:
            update = difference(old, new, leaving)
        except NeedsReload:
            table.load(new[0].servers)
            leaving = {}
        else:
            for command in update.commands:
                table.carry_out(command)
            leaving = {key: server for key, server in update.leaving.items() if server.name in busy}
            for key in update.leaving.keys() - leaving.keys():
                table.delete(key.removeprefix("b/"))
        assert {name: row for name, row in table.rows.items() if f"b/{name}" not in leaving} == {
            server.name: row_of(server) for server in new[0].servers
        }
        assert all(table.rows[server.name]["disabled"] for server in leaving.values())
        old = new
