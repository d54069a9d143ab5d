"""Request bodies: Go's rules and texts."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.httpapi.codec.decoding import Convert, GoType, decode
from pyconsul.agent.httpapi.core.response import HTTPError
from pyconsul.agent.model.wire import camel


def double(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError("not a number")
    return value * 2


class Inner(msgspec.Struct, rename=camel):
    go_embedded: ClassVar[str] = "Alias"
    aliases: ClassVar[dict[str, str | None]] = {"enable_tag_override": "enable_tag_override", "Kind": None}
    port: int = 0
    tags: list[str] = []
    enable_tag_override: bool = False


class Outer(msgspec.Struct, rename=camel):
    go_name: ClassVar[str] = "structs.Outer"
    node_id: str = ""
    service: Inner | None = None
    meta: dict[str, str] = {}
    payload: bytes = b""
    flags: Annotated[int, GoType("uint64")] = 0
    twice: Annotated[int, Convert(double)] = 0
    ratio: float = 0.0
    anything: Any = None
    many: list[Inner] = []


INTO = "into Go struct field Outer.Service.Alias"


def refused(body: str) -> str:
    with pytest.raises(HTTPError) as caught:
        decode(body.encode(), Outer)
    assert caught.value.status == 400
    assert caught.value.text.startswith("Request decode failed: ")
    return caught.value.text.removeprefix("Request decode failed: ")


def test_keys_in_any_case_and_aliases() -> None:
    body = b'{"nodeid": "a", "SERVICE": {"port": 80, "Tags": ["x"], "enable_tag_override": true, "kind": 5}, "Meta": {"k": "v"}}'
    made = decode(body, Outer)
    assert made == Outer(node_id="a", service=Inner(80, ["x"], True), meta={"k": "v"})


def test_null_leaves_the_default() -> None:
    assert decode(
        b'{"NodeID": null, "Service": null, "Meta": {"a": null}, "Flags": null, "Ratio": null}', Outer
    ) == Outer(meta={"a": ""})
    assert decode(b"null", Outer) == Outer()


def test_values() -> None:
    made = decode(b'{"Payload": "aGk=", "Flags": 18446744073709551615, "Twice": 2, "Ratio": 1, "Anything": [1]}', Outer)
    assert made == Outer(payload=b"hi", flags=2**64 - 1, twice=4, ratio=1.0, anything=[1])


def test_text_after_the_value_is_ignored() -> None:
    assert decode(b"{} trailing", Outer) == Outer()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", "EOF"),
        ("{", "unexpected EOF"),
        ("[]", "json: cannot unmarshal array into Go value of type structs.Outer"),
        ('{"Surprise": 1}', 'json: unknown field "Surprise"'),
        ('{"Service": {"Surprise": 1}}', 'json: unknown field "Surprise"'),
        ('{"NodeID": 5}', "json: cannot unmarshal number into Go struct field Outer.NodeID of type string"),
        ('{"Service": []}', "json: cannot unmarshal array into Go struct field Outer.Service of type Inner"),
        (
            '{"Service": {"Port": "x"}}',
            f"json: cannot unmarshal string {INTO}.Port of type int",
        ),
        (
            '{"Service": {"Port": 1.5}}',
            f"json: cannot unmarshal number 1.5 {INTO}.Port of type int",
        ),
        (
            '{"Service": {"Tags": "x"}}',
            f"json: cannot unmarshal string {INTO}.Tags of type []string",
        ),
        (
            '{"Service": {"Tags": [1]}}',
            f"json: cannot unmarshal number {INTO}.Tags of type string",
        ),
        ('{"Meta": {"a": 1}}', "json: cannot unmarshal number into Go struct field Outer.Meta of type string"),
        ('{"Meta": []}', "json: cannot unmarshal array into Go struct field Outer.Meta of type map[string]string"),
        ('{"Flags": -1}', "json: cannot unmarshal number -1 into Go struct field Outer.Flags of type uint64"),
        ('{"Twice": "x"}', "not a number"),
        ('{"Payload": "a*"}', "illegal base64 data at input byte 1"),
    ],
)
def test_texts_of_errors(body: str, error: str) -> None:
    assert refused(body) == error


def test_an_embedded_structure_at_the_top_has_no_name() -> None:
    with pytest.raises(HTTPError) as caught:
        decode(b'{"Port": "eighty"}', Inner)
    assert caught.value.text.endswith("json: cannot unmarshal string into Go struct field .Alias.Port of type int")


def test_the_first_fault_counts() -> None:
    assert refused('{"NodeID": 5, "Surprise": 1}').startswith("json: cannot unmarshal number")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["NodeID", "Service", "Port", "Tags", "Meta", "Flags", "Many", "Payload", "x"]), inner
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_a_body_is_read_or_refused(value: object) -> None:
    with suppress(HTTPError):
        assert isinstance(decode(msgspec.json.encode(value), Outer), Outer)
