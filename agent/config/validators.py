"""Validators of single settings: each takes a value of the right type and returns the allowed values if it is not one of them."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from pyconsul.agent.common.uuids import is_uuid

_DATACENTER = re.compile(r"[a-z0-9_-]+")
_META_KEY = re.compile(r"[a-zA-Z0-9_-]+")
_PROVIDER = re.compile(r"[a-z0-9_-]*")
_UI_PATH = re.compile(r"[/A-Za-z0-9_-]*")
_DNS_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_HOST_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_ENDPOINT = re.compile(r"(https?://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})/?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
META_PAIRS, META_KEY_LENGTH, META_VALUE_LENGTH = 64, 128, 512
#: Consul's errors about values that these validators refuse.
DATACENTER_ERROR = 'datacenter can only contain lowercase alphanumeric, - or _ characters. received: "{value}"'
NODE_ID_ERROR = "failed to setup node ID: specified NodeID is invalid: uuid string is wrong length"
EXPECT_ERROR = "bootstrap_expect cannot be {value}. Must be greater than or equal to zero"
LOG_LEVELS = ("trace", "debug", "info", "warn", "error")


def port(value: object) -> str | None:
    """A port, or -1 for `off`; 0 is Consul's word for its default."""
    assert isinstance(value, int)
    return None if -1 <= value <= 65535 else "a port from 1 to 65535, or -1 to turn it off"


def not_negative(value: object) -> str | None:
    assert isinstance(value, int | float)
    return None if value >= 0 else "0 or more"


def positive(value: object) -> str | None:
    assert isinstance(value, int | float)
    return None if value > 0 else "more than 0"


def key_prefix(value: object) -> str | None:
    """The beginning of keys."""
    text = str(value)
    return (
        None if text and not text.startswith("/") else "the beginning of keys, such as secrets/, without a / in front"
    )


def etcd_endpoints(value: object) -> str | None:
    """Addresses of etcd."""
    assert isinstance(value, tuple | list)
    found = [_ENDPOINT.fullmatch(str(text)) for text in value]
    if all(match is not None and 0 < int(match["port"]) < 1 << 16 for match in found):
        return None
    return "HOST:PORT, or http(s)://HOST:PORT"


def etcd_prefix(value: object) -> str | None:
    """The beginning of keys in etcd."""
    return None if str(value).strip("/") else "the beginning of keys in etcd, such as pyconsul"


def at_least(least: float, words: str) -> Callable[[object], str | None]:
    """A number of at least `least`; `words` name it with its unit."""

    def check(value: object) -> str | None:
        assert isinstance(value, int | float)
        return None if value >= least else f"at least {words}"

    return check


def between(least: int, most: int) -> Callable[[object], str | None]:
    """A whole number in a range."""

    def check(value: object) -> str | None:
        assert isinstance(value, int)
        return None if least <= value <= most else f"{least} to {most}"

    return check


def one_of(*words: str) -> Callable[[object], str | None]:
    """One of these words, in any case."""

    def check(value: object) -> str | None:
        return None if str(value).lower() in words else f"one of {', '.join(words)}"

    return check


syslog_facility = one_of(
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    *(f"local{number}" for number in range(8)),
)  # fmt: skip


def log_level(value: object) -> str | None:
    return None if str(value).lower() in (*LOG_LEVELS, "warning", "err") else f"one of {', '.join(LOG_LEVELS)}"


def datacenter(value: object) -> str | None:
    if _DATACENTER.fullmatch(str(value).lower()):
        return None
    return "lower-case letters, digits, - and _"


def node_name(value: object) -> str | None:
    """Names that DNS cannot carry are allowed, as Consul allows them; those that no protocol can carry are not."""
    text = str(value)
    # An empty name, here and below, is none: the default holds.
    if text == "" or (len(text) <= 128 and text.strip() and text.isprintable() and "/" not in text):
        return None
    return "1 to 128 printable characters without a slash"


def node_id(value: object) -> str | None:
    return None if value == "" or is_uuid(str(value)) else "a UUID such as 5f0e6f6c-3d3a-4b8c-9c1d-2f5f2b6a7c01"


def domain(value: object) -> str | None:
    text = str(value)
    return None if text in ("", ".") or _DNS_NAME.fullmatch(text) else "a DNS name such as consul or corp.example"


def ip_address(value: object) -> str | None:
    """One IP address, with or without brackets; an empty text means the default."""
    text = str(value).strip()
    return None if text == "" or _is_ip(text) else "one IP address, or a template such as {{ GetPrivateIP }}"


def listen_addresses(value: object) -> str | None:
    """IP addresses or `unix://` paths, separated by blanks."""
    for part in str(value).split():
        if not (part.startswith("unix://") and len(part) > len("unix://")) and not _is_ip(part):
            return "IP addresses or unix:///path, separated by blanks"
    return None


def network(value: object) -> str | None:
    """A list of networks in CIDR form."""
    assert isinstance(value, tuple)
    for item in value:
        try:
            ipaddress.ip_network(item, strict=False)
        except ValueError:
            return "networks such as 127.0.0.0/8 or ::1/128"
    return None


def host_names(value: object) -> str | None:
    """A list of host names; a leading dot stands for a domain with all names below, `*` for any name."""
    assert isinstance(value, tuple)
    if all(item == "*" or _HOST_NAME.fullmatch(item.removeprefix(".")) for item in value):
        return None
    return 'host names without scheme and port, such as consul.example.com, .example.com, or "*"'


def response_headers(value: object) -> str | None:
    """Headers of HTTP responses."""
    assert isinstance(value, dict)
    if all(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(text) for name, text in value.items()):
        return None
    return "names of letters, digits and -, with values of one line in Latin-1"


def recursors(value: object) -> str | None:
    """A list of DNS servers, `ip` or `ip:port`."""
    assert isinstance(value, tuple)
    return None if all(_is_ip_and_port(item) for item in value) else "IP addresses, each with a port if it is not 53"


def node_meta(value: object) -> str | None:
    """A node's metadata: https://developer.hashicorp.com/consul/docs/agent/config/config-files#node_meta."""
    assert isinstance(value, dict)
    if len(value) > META_PAIRS:
        return f"at most {META_PAIRS} pairs"
    for key, text in value.items():
        if not _META_KEY.fullmatch(key) or len(key) > META_KEY_LENGTH:
            return f"keys of 1 to {META_KEY_LENGTH} letters, digits, - and _"
        if key.lower().startswith("consul-"):
            return 'keys that do not start with "consul-", which Consul keeps for itself'
        if len(text) > META_VALUE_LENGTH:
            return f"values of at most {META_VALUE_LENGTH} characters"
    return None


def ui_path(value: object) -> str | None:
    return None if _UI_PATH.fullmatch(str(value)) else "letters, digits, -, _ and /"


def optional_url(value: object) -> str | None:
    return None if value == "" or _is_url(str(value)) else "a URL that begins with http:// or https://"


def dashboard_urls(value: object) -> str | None:
    assert isinstance(value, dict)
    wrong = [url for url in value.values() if not _is_url(url)]
    return "URLs that begin with http:// or https://, by kind" if wrong else None


def provider_name(value: object) -> str | None:
    return None if _PROVIDER.fullmatch(str(value)) else "lower-case letters, digits, - and _"


def json_object(value: object) -> str | None:
    try:
        is_object = value == "" or isinstance(json.loads(str(value)), dict)
    except ValueError:
        is_object = False
    return None if is_object else "a JSON object, as a string"


def named_headers(value: object) -> str | None:
    """A list of headers, each an object with `name` and `value`."""
    assert isinstance(value, tuple)
    for header in value:
        texts = {name: text for name, text in header.items() if isinstance(text, str)}
        if set(texts) != {"name", "value"} or response_headers({texts["name"]: texts["value"]}):
            return "objects with `name` and `value`, both texts"
    return None


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def join_addresses(value: object) -> str | None:
    """A list of addresses of agents."""
    assert isinstance(value, tuple)
    return None if all(item.strip() for item in value) else "IP addresses and host names"


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _is_ip_and_port(text: str) -> bool:
    if _is_ip(text):
        return True
    address, _, number = text.rpartition(":")
    return _is_ip(address) and number.isdigit() and 0 < int(number) < 65536
