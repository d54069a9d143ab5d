"""Sent forms: fields, and files byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.ui.contract import Refused
from pyconsul.agent.ui.forms import bytes_of, form_of, resendable


def multipart(*parts: tuple[str, bytes], kind: str = "multipart/form-data; boundary=xyz") -> Request:
    body = b"".join(
        b'--xyz\r\nContent-Disposition: form-data; filename="x.eml"; name="%b"\r\nContent-Type: message/rfc822\r\n\r\n%b\r\n'
        % (name.encode(), content)
        for name, content in parts
    )
    return Request("POST", b"/", {b"content-type": kind.encode()}, body + b"--xyz--\r\n")


@given(st.binary())
@example(b"")
@example(b"\r\n\r\n")
@example(b"a: b\r\n\r\nmail\r")
@example(bytes(range(256)))
def test_a_file_arrives_byte_for_byte(content: bytes) -> None:
    if b"\r\n--xyz" not in b"\r\n" + content:
        assert bytes_of(form_of(multipart(("file", content), ("flags", b"1")))["file"]) == content


def test_the_boundary_may_be_quoted() -> None:
    assert form_of(multipart(("a", b"1"), ("a", b"2"), kind='multipart/form-data; boundary="xyz"')) == {"a": "1\n2"}


def test_an_encoded_form() -> None:
    kind = {b"content-type": b"application/x-www-form-urlencoded; charset=utf-8"}
    assert form_of(Request("POST", b"/", kind, b"a=1&b=%C3%A4+x&a=2&c=")) == {"a": "1\n2", "b": "ä x", "c": ""}


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary=other"])
def test_what_is_no_form_is_refused(kind: str) -> None:
    with pytest.raises(Refused):
        form_of(multipart(("a", b"1"), kind=kind))


def test_a_form_can_be_sent_again_unless_it_has_a_binary_file() -> None:
    assert resendable(multipart(("form", b"token"), ("value", "ä <b>".encode()))) == {"value": "ä <b>"}
    assert resendable(multipart(("value", b"x"), ("file", b"\xff"))) == {}
    assert resendable(multipart(("value", b"x"), kind="text/plain")) == {}
    assert resendable(Request("GET", b"/", {})) == {}


@pytest.mark.parametrize("name", ["token", "SecretID", "bearer"])
def test_a_form_with_a_secret_is_not_kept_on_a_page(name: str) -> None:
    assert resendable(multipart((name, b"x"))) == {}
    assert resendable(multipart(("do", b"login"), ("other", b"x"))) == {}
