"""Secrets do not show, in whatever form a template uses them."""

from __future__ import annotations

import base64
import json
import string
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.report.masking import MASK, Mask, secrets_of, unified_diff


def pair(path: str, value: str) -> dict[str, str]:
    return {"Key": path, "Value": base64.b64encode(value.encode()).decode()}


def test_values_of_keys_are_secrets_and_nothing_else_is() -> None:
    key, keys = lookups.key("a"), lookups.keys("app/")
    assert secrets_of(key, key.decode([pair("a", "hunter2")])) == ["hunter2"]
    assert secrets_of(keys, keys.decode([pair("app/a", "x"), pair("app/b", "y")])) == ["x", "y"]
    assert secrets_of(key, None) == []
    assert secrets_of(lookups.own_node(), "n1") == []


@pytest.mark.parametrize(
    ("secret", "text", "masked"),
    [
        ("hunter2", "pw hunter2, again hunter2", "pw ****, again ****"),
        ("hunter2\n", "pw hunter2", "pw ****"),
        ("first line\n  second line\n", "x second line y", "x **** y"),
        ('{"user": "bob", "pin": 48213, "deep": ["s3cr3t-x"]}', "48213 bob s3cr3t-x", "**** **** ****"),
        ('{"motd": "a \\"quoted\\" word"}', 'say a "quoted" word', "say ****"),
        ('a "quoted" word', json.dumps({"x": 'a "quoted" word'}), '{"x": "****"}'),
        ("password: hunter2\nuser: 'bobby'  # old", "hunter2:bobby", "****:****"),
        ("export DB_PASSWORD=hunter2", "pw=hunter2", "pw=****"),
        ("- hunter2\n- other one", "hunter2 / other one", "**** / ****"),
        (base64.b64encode(b"hunter2-decoded").decode(), "hunter2-decoded", "****"),
        ("hunter2-plain", base64.b64encode(b"hunter2-plain").decode(), "****=="),
        ("p@ss/word?", "postgres://u:" + quote("p@ss/word?", safe="") + "@db", "postgres://u:****@db"),
        ("abc", "abc xabc abc.", "**** xabc ****."),
        ("1", "port 1 of 10", "port **** of 10"),
        ("{\n}\n", "{\n  a\n}\n", "{\n  a\n}\n"),
        ("", "nothing", "nothing"),
        ("  \n ", "nothing", "nothing"),
        ("caf\udce9-secret", "x caf\udce9-secret", "x ****"),
    ],
)
def test_forms_of_a_secret(secret: str, text: str, masked: str) -> None:
    assert Mask([secret]).mask(text) == masked


def test_the_longest_secret_goes_first_and_lengths_do_not_show() -> None:
    mask = Mask(["pass", "password", "passwords-are-secret"])
    assert mask("passwords-are-secret password pass") == "**** **** ****"
    assert mask("passpassword") == MASK


def test_asterisks_do_not_complete_another_secret() -> None:
    assert "x****" not in Mask(["abcd", "x****"]).mask("xabcd")
    assert Mask(["****"]).mask("a **** b") == "a **** b"


def test_no_secrets_no_change() -> None:
    assert Mask([]).mask("text") == "text"


words = st.text(string.ascii_letters + string.digits + " .:/-_=\"'\\{}[]\n\té", min_size=1, max_size=24)


@settings(max_examples=300, deadline=None)
@given(st.lists(words, min_size=1, max_size=5), st.data())
def test_no_secret_survives(secrets: list[str], data: st.DataObject) -> None:
    pieces = data.draw(st.lists(st.one_of(st.sampled_from(secrets), words), max_size=12))
    masked = Mask(secrets).mask(data.draw(st.sampled_from(["", " ", "\n"])).join(pieces))
    for secret in secrets:
        # White space around a value is not what is secret in it.
        if len(secret.strip()) >= 4:
            assert secret.strip() not in masked


values = st.text(string.ascii_letters + string.digits, min_size=4, max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.lists(values, min_size=1, max_size=4), st.lists(st.integers(0, 5), max_size=20), st.integers(0, 19))
def test_no_secret_survives_in_a_diff(secrets: list[str], kinds: list[int], place: int) -> None:
    lines = [f"name {secrets[kind]}" if kind < len(secrets) else f"%{kind}%" for kind in kinds]
    old, new = "\n".join(lines), "\n".join([*lines[:place], f"pw {secrets[0]}", *lines[place + 1 :]])
    diff = unified_diff(old.encode(), new.encode(), "%", Mask([*secrets, "unused"]))
    for secret in secrets:
        if secret not in ("name", "file") and not any(secret in word for word in ("newline", "No newline at end")):
            assert secret not in diff


def test_a_changed_secret_shows_as_a_changed_line() -> None:
    mask = Mask(["hunter2", "hunter3"])
    diff = unified_diff(b"a\npassword hunter2\nb\n", b"a\npassword hunter3\nb\n", "app.conf", mask)
    assert diff == "--- app.conf\n+++ app.conf\n@@ -1,3 +1,3 @@\n a\n-password ****\n+password ****\n b\n"


def test_new_files_and_ends_without_a_line_break() -> None:
    assert unified_diff(b"", b"a\n", "f", Mask([])) == "--- f\n+++ f\n@@ -0,0 +1 @@\n+a\n"
    assert unified_diff(b"a", b"a\n", "f", Mask([])).splitlines()[3:] == ["-a", "\\ No newline at end of file", "+a"]
    assert unified_diff(b"a\n", b"a\n", "f", Mask([])) == ""


def test_bytes_that_are_no_text() -> None:
    assert unified_diff(b"\0\1", b"\0", "f", Mask([])) == "Binary file f differs: 2 bytes, now 1\n"
    diff = unified_diff(b"\xff\n", b"\xfe\n", "f", Mask([]))
    assert "-\\xff\n+\\xfe\n" in diff
    diff.encode()


def test_time_is_linear_where_naive_searches_are_not() -> None:
    secrets = ["a" * length for length in range(5, 200)] + [f"prefix-{i}" for i in range(2000)]
    assert Mask(secrets).mask("a" * 50_000 + " prefix-1999") == "**** ****"
