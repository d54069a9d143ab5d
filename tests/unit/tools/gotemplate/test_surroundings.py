"""Times, durations, network addresses; and the real files, programs and interfaces of this machine."""

from __future__ import annotations

import ipaddress
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.common.go.durations import format_go_duration_ns
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions import real_surroundings
from pyconsul.tools.gotemplate.functions.sockaddr import Interface, sockaddr
from pyconsul.tools.gotemplate.functions.surroundings import FileWrite
from pyconsul.tools.gotemplate.text.go_time import format_time, parse_duration_ns, parse_time

MOMENT = datetime(2024, 2, 9, 15, 4, 5, 123456, UTC)
ELSEWHERE = datetime(1999, 12, 31, 0, 0, 9, 0, timezone(timedelta(minutes=-90), "XYZ"))


@pytest.mark.parametrize(
    ("layout", "texts"),
    [
        ("2006-01-02T15:04:05.999999999Z07:00", ["2024-02-09T15:04:05.123456Z", "1999-12-31T00:00:09-01:30"]),
        ("Mon Jan _2 15:04:05 MST 2006", ["Fri Feb  9 15:04:05 UTC 2024", "Fri Dec 31 00:00:09 XYZ 1999"]),
        (
            "Monday, 02-Jan-06 3:04:05.000 PM -0700",
            ["Friday, 09-Feb-24 3:04:05.123 PM +0000", "Friday, 31-Dec-99 12:00:09.000 AM -0130"],
        ),
        ("January 2 002 __2 pm 4 5 Z07 -07", ["February 9 040  40 pm 4 5 Z +00", "December 31 365 365 am 0 9 -01 -01"]),
        ("Janet Money", ["Janet Money", "Janet Money"]),
    ],
)
def test_layouts(layout: str, texts: list[str]) -> None:
    assert [format_time(MOMENT, layout), format_time(ELSEWHERE, layout)] == texts


@pytest.mark.parametrize(
    ("layout", "text", "time"),
    [
        ("2006-01-02", "2020-02-03", datetime(2020, 2, 3, tzinfo=UTC)),
        ("2006-01-02T15:04:05Z07:00", "2020-02-03T04:05:06.5+02:00", datetime(2020, 2, 3, 2, 5, 6, 500000, UTC)),
        ("Jan _2 06 3:04PM", "Feb  3 69 1:02PM", datetime(1969, 2, 3, 13, 2, tzinfo=UTC)),
        ("Mon, 02 Jan 2006 15:04:05 MST", "Mon, 03 Feb 2020 00:00:01 GMT", datetime(2020, 2, 3, 0, 0, 1, tzinfo=UTC)),
    ],
)
def test_reading_times(layout: str, text: str, time: datetime) -> None:
    assert parse_time(layout, text) == time


@pytest.mark.parametrize("text", ["2020-13-01", "2020-02-30", "2020", "x"])
def test_bad_times(text: str) -> None:
    with pytest.raises(GoError, match="cannot parse"):
        parse_time("2006-01-02", text)


@given(st.integers(-(10**18), 10**18))
def test_durations_read_back(nanoseconds: int) -> None:
    assert parse_duration_ns(format_go_duration_ns(nanoseconds)) == nanoseconds


@pytest.mark.parametrize("text", ["", "1", "1d", "h", "1h 2m", "-", "1.2.3s", "."])
def test_bad_durations(text: str) -> None:
    with pytest.raises(GoError):
        parse_duration_ns(text)


INTERFACES = [
    Interface("lo", ipaddress.ip_interface("127.0.0.1/8"), frozenset(("up", "loopback"))),
    Interface("lo", ipaddress.ip_interface("::1/128"), frozenset(("up", "loopback"))),
    Interface("eth0", ipaddress.ip_interface("10.1.2.3/24"), frozenset(("up", "broadcast", "multicast")), True),
    Interface("eth0", ipaddress.ip_interface("8.8.4.4/30"), frozenset(("up", "broadcast", "multicast")), True),
    Interface("eth1", ipaddress.ip_interface("192.168.1.1/16"), frozenset(("up", "broadcast"))),
    Interface("eth1", ipaddress.ip_interface("fe80::1/64"), frozenset(("up",))),
]


@pytest.mark.parametrize(
    ("pipeline", "text"),
    [
        ("GetPrivateIP", "10.1.2.3"),
        ("GetPublicIP", "8.8.4.4"),
        ('GetInterfaceIP "eth1"', "192.168.1.1"),
        ('GetAllInterfaces | include "name" "^lo$" | include "type" "IPv4" | attr "address"', "127.0.0.1"),
        ('GetAllInterfaces | include "network" "192.168.0.0/16" | attr "network"', "192.168.0.0/16"),
        (
            'GetAllInterfaces | exclude "flags" "loopback" | exclude "type" "IPv6" | sort "-address" | join "address" " "',
            "192.168.1.1 10.1.2.3 8.8.4.4",
        ),
        ('GetAllInterfaces | include "rfc" "1918" | sort "size" | limit 1 | join "name" ","', "eth0"),
        ('GetAllInterfaces | unique "name" | sort "name" | join "name" ","', "eth0,eth1,lo"),
        ('GetDefaultInterfaces | offset 1 | attr "string"', "8.8.4.4/30"),
        ('GetAllInterfaces | include "name" "nope" | attr "address"', ""),
        ('GetAllInterfaces | include "name" "eth1" | attr "flags"', "up|broadcast"),
    ],
)
def test_sockaddr(pipeline: str, text: str) -> None:
    assert sockaddr(pipeline, lambda: INTERFACES) == text


@pytest.mark.parametrize(
    "pipeline", ["Nope", "GetAllInterfaces | attr", 'GetPrivateIP | attr "x"', "}} x", 'GetAllInterfaces | sort "x"']
)
def test_bad_sockaddr(pipeline: str) -> None:
    with pytest.raises(GoError, match="unable to parse template"):
        sockaddr(pipeline, lambda: INTERFACES)


def test_interfaces_of_this_machine() -> None:
    assert (
        sockaddr(
            'GetAllInterfaces | include "name" "^lo$" | include "type" "IPv4" | attr "address"',
            real_surroundings.interfaces,
        )
        == "127.0.0.1"
    )


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    real_surroundings.write_file(FileWrite(str(path), b"one", 0o640))
    real_surroundings.write_file(FileWrite(str(path), b"+two", 0o600, append=True))
    assert path.read_bytes() == b"one+two"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(GoError, match="unknown user no-such-user"):
        real_surroundings.write_file(FileWrite(str(path), b"", 0o600, user="no-such-user"))
    assert path.read_bytes() == b"one+two"


def test_plugins() -> None:
    assert real_surroundings.run_plugin(sys.executable, ["-c", "print('a b')"]) == "a b\n"
    with pytest.raises(GoError, match="exit status 3\n\nstderr:\n\nno"):
        real_surroundings.run_plugin(sys.executable, ["-c", "import sys; sys.stderr.write('no'); sys.exit(3)"])
    with pytest.raises(GoError, match="No such file"):
        real_surroundings.run_plugin("/no/such/program", [])
