"""The commands between two configurations, and why there are none."""

from __future__ import annotations

import pytest

from pyconsul.tools.template.haproxy.config import parse
from pyconsul.tools.template.haproxy.difference import Update, difference
from pyconsul.tools.template.haproxy.servers import NeedsReload

HEAD = """\
defaults
    mode http
frontend web
    bind :80
    default_backend b
"""


def text(*servers: str, head: str = HEAD, extra: str = "    balance roundrobin\n") -> str:
    return head + "backend b\n" + extra + "".join(f"    server {server}\n" for server in servers)


def update(old: str, new: str) -> Update:
    return difference(parse([old]), parse([new]), {})


def commands(old: list[str], new: list[str], extra: str = "") -> list[str]:
    return update(text(*old, extra=extra), text(*new, extra=extra)).commands


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (["a 10.0.0.1:80"], ["a 10.0.0.1:80"], []),
        (["a 10.0.0.1:80", "b 10.0.0.2:80"], ["b 10.0.0.2:80", "a 10.0.0.1:80"], []),
        (["a 10.0.0.1:80"], ["a 10.0.0.2:81"], ["set server b/a addr 10.0.0.2 port 81"]),
        (["a 10.0.0.1:80"], ["a [fd00::1]:81"], ["set server b/a addr fd00::1 port 81"]),
        (
            ["a 10.0.0.1:80 check"],
            ["a 10.0.0.2:80 check"],
            ["set server b/a addr 10.0.0.2 port 80", "set server b/a health up"],
        ),
        (["a 10.0.0.1:80"], ["a 10.0.0.1:80 weight 7"], ["set server b/a weight 7"]),
        (["a 10.0.0.1:80 weight 7"], ["a 10.0.0.1:80"], ["set server b/a weight 1"]),
        (["a 10.0.0.1:80 maxconn 9"], ["a 10.0.0.1:80"], ["set maxconn server b/a 0"]),
        (["a 10.0.0.1:80"], ["a 10.0.0.1:80 disabled"], ["set server b/a state maint"]),
        (["a 10.0.0.1:80 disabled"], ["a 10.0.0.1:80"], ["set server b/a state ready"]),
        (["a 10.0.0.1:80"], ["a 10.0.0.1:80 weight 1 weight 1"], ["set server b/a weight 1"]),
        (
            ["a 10.0.0.1:80 ssl verify none cookie x"],
            ["a 10.0.0.1:80 ssl verify none cookie x weight 3"],
            ["set server b/a weight 3"],
        ),
        (["a 10.0.0.1:80 shard 3"], ["a 10.0.0.1:81 shard 3"], ["set server b/a addr 10.0.0.1 port 81"]),
        ([], ["a 10.0.0.1:80"], ["add server b/a 10.0.0.1:80", "set server b/a state ready"]),
        ([], ["a 10.0.0.1:80 disabled"], ["add server b/a 10.0.0.1:80"]),
        (
            [],
            ["a [fd00::1]:80 check inter 1s weight 5"],
            [
                "add server b/a [fd00::1]:80 check inter 1s weight 5",
                "enable health b/a",
                "set server b/a state ready",
            ],
        ),
        (
            [],
            ["a 10.0.0.1:80 check ssl verify none sni req.hdr(host) init-addr none"],
            [
                "add server b/a 10.0.0.1:80 check ssl verify none sni req.hdr(host) check-ssl",
                "enable health b/a",
                "set server b/a state ready",
            ],
        ),
        (
            [],
            ["a 10.0.0.1:80 send-proxy-v2 check port 90 disabled"],
            ["add server b/a 10.0.0.1:80 send-proxy-v2 check port 90", "enable health b/a"],
        ),
        (["a 10.0.0.1:80"], [], ["set server b/a state maint"]),
    ],
)
def test_commands(old: list[str], new: list[str], expected: list[str]) -> None:
    assert commands(old, new) == expected


def test_new_servers_come_first_and_leaving_ones_last() -> None:
    made = update(
        text("a 10.0.0.1:80", "b 10.0.0.2:80", "c 10.0.0.3:80"),
        text("b 10.0.0.9:80", "c 10.0.0.3:80", "d 10.0.0.4:80"),
    )
    assert made.commands == [
        "add server b/d 10.0.0.4:80",
        "set server b/d state ready",
        "set server b/b addr 10.0.0.9 port 80",
        "set server b/a state maint",
    ]
    assert list(made.leaving) == ["b/a"]
    assert str(made) == "added: b/d; changed: b/b; removed: b/a"


def test_a_message_names_some_servers() -> None:
    made = update(text(), text(*(f"s{number} 10.0.0.1:80" for number in range(9))))
    assert str(made) == "added: b/s0, b/s1, b/s2, b/s3, b/s4 and 4 more"


def test_servers_that_are_numbered_change_their_addresses() -> None:
    old = [f"web{number} 10.0.0.{number}:80" for number in (1, 2, 3)]
    assert commands(old, ["web1 10.0.0.2:80", "web2 10.0.0.3:80"]) == [
        "set server b/web1 addr 10.0.0.2 port 80",
        "set server b/web2 addr 10.0.0.3 port 80",
        "set server b/web3 state maint",
    ]


def test_settings_of_default_server_lines_are_given_to_new_servers() -> None:
    extra = "    default-server check inter 2s disabled\n"
    assert commands([], ["a 10.0.0.1:80 enabled inter 1s"], extra) == [
        "add server b/a 10.0.0.1:80 check inter 1s",
        "enable health b/a",
        "set server b/a state ready",
    ]


def test_comments_and_blank_lines_do_not_count() -> None:
    assert update(text("a 10.0.0.1:80"), "# one\n\n" + text("a   10.0.0.1:80 # two")).commands == []


def test_a_leaving_server_comes_back() -> None:
    first, second, third = (
        parse([text(*servers)])
        for servers in (
            ["a 10.0.0.1:80 weight 2", "b 10.0.0.2:80"],
            ["b 10.0.0.2:80"],
            ["b 10.0.0.2:80", "a 10.0.0.3:80"],
        )
    )
    leaving = difference(first, second, {}).leaving
    made = difference(second, third, leaving)
    assert made.commands == [
        "set server b/a addr 10.0.0.3 port 80",
        "set server b/a weight 1",
        "set server b/a state ready",
    ]
    assert made.leaving == {}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (text(), text(head=HEAD.replace(":80", ":81")), "frontend web: bind lines differ"),
        (text(), text(head=HEAD + "    maxconn 5\n"), "frontend web: maxconn lines differ"),
        (text(), text() + "backend c\n", "backend c is new"),
        (text() + "backend c\n", text(), "backend c is gone"),
        (text() + "backend c\nbackend d\n", text() + "backend d\nbackend c\n", "another order"),
        (text("a 10.0.0.1:80"), text("a 10.0.0.1:80 backup"), "server b/a: backup cannot be changed at runtime"),
        (text("a 10.0.0.1:80"), text("a 10.0.0.1:80 shard 3"), "not all of its settings can be changed"),
        (text("a 10.0.0.1:80"), text("a web.local:80"), "web.local:80 is not an IP address"),
        (text("a web.local:80"), text("a 10.0.0.1:80"), "web.local:80 is not an IP address"),
        (text("a 10.0.0.1:80"), text("a 10.0.0.2"), "is not an IP address and a port"),
        (text("a 10.0.0.1:80"), text("a 10.0.0.2:+80"), "is not an IP address and a port"),
        (text("a 10.0.0.1:80"), text('a "$IP":80'), "is not an IP address and a port"),
        (text("a 10.0.0.1:80 agent-check"), text("a 10.0.0.2:80 agent-check"), "it has agent-check"),
        (text("a 10.0.0.1:80 maxconn 9 minconn 1"), text("a 10.0.0.1:80 maxconn 8 minconn 1"), "beside minconn"),
        (text("a 10.0.0.1:80 on-marked-down shutdown-sessions"), text(), "on-marked-down"),
        (text(), text("a 10.0.0.1:80 cookie x"), "cookie cannot be given"),
        (text(), text("a 10.0.0.1:80 ssl crt x.pem"), "crt cannot be given"),
        (text(), text("a 10.0.0.1:80 resolvers dns"), "not all of its settings"),
        (text(), text("a 10.0.0.1:80 inter"), "not all of its settings"),
        (text(), text("a;b 10.0.0.1:80"), "its name cannot be given"),
        (text(), text("a 10.0.0.1:80 addr 'x;y'"), "x;y"),
        (text(), text("a 10.0.0.1:80", "a 10.0.0.2:80"), "several servers have the same name"),
        (text("a 10.0.0.1:80"), text("a 10.0.0.1:80", "b 10.0.0.1:81 track b/a"), "track"),
        (
            text("a 10.0.0.1:80 backup", "b 10.0.0.2:80 backup"),
            text("b 10.0.0.2:80 backup", "a 10.0.0.1:80 backup"),
            "order",
        ),
        (text("a 10.0.0.1:80 backup"), text("b 10.0.0.1:80 backup", "a 10.0.0.1:80 backup"), "order"),
        ("global\n nbproc 2\n" + text(), "global\n nbproc 2\n" + text("a 10.0.0.1:80"), "nbproc"),
    ],
)
def test_why_a_reload_is_needed(old: str, new: str, why: str) -> None:
    with pytest.raises(NeedsReload, match=why):
        update(old, new)


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ("balance source", "balance source"),
        ("balance first", "balance first"),
        ("balance static-rr", "balance static-rr"),
        ("cookie SRV insert", "cookie"),
        ("stick on src", "stick"),
        ("use-server a if TRUE", "use-server"),
        ("server-template x 1-3 10.0.0.1:80", "server-template"),
        ("option external-check", "option external-check"),
    ],
)
def test_backends_whose_servers_only_change_in_place(extra: str, why: str) -> None:
    line = f"    {extra}\n"
    for old, new in (([], ["a 10.0.0.1:80"]), (["a 10.0.0.1:80"], [])):
        with pytest.raises(NeedsReload, match=why):
            commands(old, new, line)
    with pytest.raises(NeedsReload, match=why):
        commands(["a 10.0.0.1:80"], ["a 10.0.0.1:80 weight 3"], line)
    assert commands(["a 10.0.0.1:80"], ["a 10.0.0.2:80"], line) == ["set server b/a addr 10.0.0.2 port 80"]


@pytest.mark.parametrize("balance", ["", "balance leastconn", "balance random(3)", "balance random"])
def test_backends_whose_servers_come_and_go(balance: str) -> None:
    assert commands([], ["a 10.0.0.1:80"], f"    {balance}\n")


def test_the_algorithm_may_be_inherited() -> None:
    head = "defaults\n    balance source\n"
    with pytest.raises(NeedsReload, match="balance source"):
        update(text(head=head, extra=""), text("a 10.0.0.1:80", head=head, extra=""))
    assert update(text(head=head), text("a 10.0.0.1:80", head=head)).commands
