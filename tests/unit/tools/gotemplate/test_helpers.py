"""consul-template's helper functions, called from templates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from pyconsul.tools.gotemplate.errors import TemplateError
from pyconsul.tools.gotemplate.functions.surroundings import FileWrite
from pyconsul.tools.gotemplate.runtime.values import Map, Slice, strings

Render = Callable[..., str]


@dataclasses.dataclass
class KeyPair:
    go_type: ClassVar[str] = "dependency.KeyPair"
    go_fields: ClassVar[tuple[str, ...]] = ("Key", "Value")
    Key: str
    Value: str


@dataclasses.dataclass
class HealthService:
    go_type: ClassVar[str] = "dependency.HealthService"
    go_fields: ClassVar[tuple[str, ...]] = ("ID", "Port", "Tags", "ServiceMeta")
    ID: str
    Port: int
    Tags: list[str]
    ServiceMeta: Any


def pairs(**values: str) -> Slice:
    return Slice("[]*dependency.KeyPair", [KeyPair(key.replace("_", "/"), value) for key, value in values.items()])


def services(*ids: str) -> Slice:
    metas = [{"env": "a.b", "shard": "7"}, {"env": "c"}, {}]
    return Slice(
        "[]*dependency.HealthService",
        [
            HealthService(name, 80 + i % 2, strings([f"t{i}", "all"]), Map("map[string]string", metas[i % 3]))
            for i, name in enumerate(ids)
        ],
    )


@pytest.mark.parametrize(
    ("template", "output"),
    [
        (
            '{{ "ÀB ß" | toLower }} {{ "àb ß" | toUpper }} {{ "it\'s x_y a-b 1a éa" | toTitle }}',
            "àb ß ÀB ß It's X_y A-B 1A Éa",
        ),
        ('[{{ "\\u00a0 a\\u200b \\x1c" | trimSpace | len }}] {{ trim "" " a " }}|', "[6]  a |"),
        ('{{ trimPrefix "" "a" }}{{ trimSuffix "b" "abb" }}{{ trimPrefix "ab" "ab" }}', "aab"),
        ('{{ split "," " a,,b, " | len }} {{ split "" "" | len }} {{ "x" | split "," }}', "4 0 [x]"),
        ('{{ splitToMap "," "=" "a=1,b,=,c=2=3" }} {{ (splitToMap "," "=" "a=1").zz }}|', "map[: a:1 c:2=3] |"),
        ('{{ indent 2 "a\\n\\n\\tb\\n" }}|', "  a\n\n  \tb\n|"),
        ('{{ regexReplaceAll "" "-" "ab" }} {{ regexMatch "a$" "a\\n" }}', "-a-b- false"),
        (
            '{{ base64Decode "aGVs\\nbG8=" }} {{ base64URLEncode "\\xff\\xfe" }} {{ base64Decode "//4=" | len }}',
            "hello __4= 2",
        ),
        ('{{ hmacSHA256Hex "" "" }}', "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
        (
            "{{ add 9223372036854775807 1 }} {{ multiply 1.5 2 }} {{ divide 0.0 1 }} {{ divide 0.0 -1 }}",
            "-9223372036854775808 3 +Inf -Inf",
        ),
        ("{{ divide -2 7 }} {{ modulo 3 7 }} {{ modulo -3 7 }} {{ modulo 3 -7 }}", "-3 1 1 -1"),
        (
            '{{ printf "%T %T %T %T" (add 1 2) (add 1 2.0) (add (parseUint "1") (parseUint "2")) (minimum 1 2.5) }}',
            "int64 float64 uint64 int64",
        ),
        ('{{ subtract (parseUint "2") (parseUint "1") }}', "18446744073709551615"),
        (
            '{{ parseInt "+7" }} {{ parseFloat ".5" }} {{ parseFloat "inf" }} {{ parseFloat "0x1p2" }} {{ parseBool "F" }}',
            "7 0.5 +Inf 4 false",
        ),
        (
            '{{ in (parseJSON "[true]") true }} {{ in "ab" "" }} {{ in 5 5 }} {{ contains 1 (loop 3) }}',
            "false true false false",
        ),
        ('{{ in (sprig_list 1 2) (parseInt "2") }} {{ in (sprig_list 1) 1.0 }}', "true false"),
        ('{{ containsAny (sprig_list 1 "a") "cab" }} {{ containsAll (sprig_list) 3 }}', "true true"),
        (
            '{{ range $i, $x := loop "1" 3 }}{{ $i }}:{{ $x }} {{ end }}{{ $l := loop 2 }}{{ range $l }}{{ . }}{{ end }}{{ range $l }}x{{ end }}',  # noqa: E501
            "0:1 1:2 01",
        ),
        ('{{ explodeMap (sprig_dict "a/b" 1 "a/c/" 2 "d" 3) }}', "map[a:map[b:1 c:map[]] d:3]"),
        ('{{ mergeMap (sprig_dict "a" "" "b" 1) (sprig_dict "a" 2 "b" 3 "c" nil) }}', "map[a:2 b:1]"),
        (
            '{{ mergeMapWithOverride (sprig_dict "a" 1 "l" (sprig_list 1)) (sprig_dict "a" 0 "l" (sprig_list 2)) }}',
            "map[a:0 l:[2]]",
        ),
        (
            '{{ timestamp }} {{ timestamp "unix" }} {{ timestamp "Jan _2 3:04PM" }}',
            "2024-02-09T15:04:05Z 1707491045 Feb  9 3:04PM",
        ),
        (
            '{{ env "NAME" }}{{ env "NONE" }} {{ envOrDefault "EMPTY" "d" }}|{{ envOrDefault "NONE" "d" }} {{ mustEnv "NAME" }}',
            "value |d value",
        ),
        ('{{ plugin "echo" " a " "" "b" }}', "echo(a,b)"),
        ('{{ plugin "" "a" }}|', "|"),
        (
            '{{ spew_sprintf "%d %v" 1 "a" }} {{ spew_sdump (sprig_list "a" nil) }}',
            '1 a ([]interface {}) (len=2 cap=2) {\n (string) (len=1) "a",\n (interface {}) <nil>\n}\n',
        ),
        (
            '{{ toJSON . }}|{{ toUnescapedJSON "<" }}|{{ toYAML (parseYAML "a: 1") }}|{{ toTOML (parseJSON `{"a":1}`) }}',
            'null|"<"|a: 1|a = 1.0',
        ),
        (
            '{{ scratch.Set "m" (sprig_dict "b" 2 "a" 1) }}{{ scratch.MapValues "m" }}{{ scratch.SetX "m" 1 }}{{ scratch.Key "m" }}',  # noqa: E501
            "[1 2]true",
        ),
        ('{{ with scratch }}{{ .Set "x" 1 }}{{ .Get "x" }}{{ "x" | .Get }}{{ end }}', "11"),
    ],
)
def test_output(render: Render, template: str, output: str) -> None:
    assert render(template) == output


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ('{{ indent (parseInt "2") "x" }}', "wrong type for value; expected int; got int64"),
        ('{{ join "," (parseJSON `["a"]`) }}', "wrong type for value; expected []string; got []interface {}"),
        ('{{ containsAll (split "," "a") "a" }}', "expected []interface {}; got []string"),
        ('{{ base64Decode "a" }}', "error calling base64Decode: base64Decode: illegal base64 data at input byte 0"),
        ('{{ parseInt "9223372036854775808" }}', 'parsing "9223372036854775808": value out of range'),
        ('{{ parseInt "1_0" }}', "invalid syntax"),
        ('{{ parseFloat "1e999" }}', "value out of range"),
        ("{{ modulo 0 1 }}", "integer divide by zero"),
        ("{{ add true 1 }}", "add: unknown type for"),
        ("{{ loop 1 2 3 }}", "expected 1 or 2, but got 3"),
        ("{{ loop 1.5 }}", "bad argument type: float64"),
        ("{{ loop 3 }}", "can't print {{loop 3}} of type <-chan int64"),
        ('{{ explodeMap (sprig_dict "a" 1 "a/b" 2) }}', 'not a map: "a/b": "a" already has value "1"'),
        ('{{ mustEnv "NONE" }}', 'environment variable "NONE" is not set or empty'),
        ('{{ timestamp "a" "b" }}', "expected 0 or 1, but got 2"),
        ('{{ writeToFile "p" "" "" "0999" "x" }}', 'parsing "0999": invalid syntax'),
        ('{{ writeToFile "p" "" "" "0644" }}', "wrong number of arguments"),
        ('{{ scratch.Set "t" 1 }}{{ scratch.MapSet "t" "k" 1 }}', '"t" is not a map'),
        ("{{ byTag (sprig_list) }}", "byTag: wrong argument type []interface {}"),
        ("{{ toTOML .x }}", "toTOML: toml: top-level values must be Go maps or structs"),
        ('{{ toJSON (parseYAML "a: 1") }}', "toJSON: json: unsupported type: map[interface {}]interface {}"),
    ],
)
def test_problem(render: Render, template: str, problem: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(template)
    assert problem in str(caught.value)


def test_scratch_starts_anew_with_each_rendering(render: Render) -> None:
    assert render('{{ scratch.Set "x" 1 }}') + render('{{ scratch.Key "x" }}') == "false"


def test_pairs(render: Render) -> None:
    found = pairs(a="top", b_c="1", b_d_e="2", f_="folder")
    assert render(
        "{{ range $k, $v := byKey . }}{{ $k }}{{ range $v }}[{{ .Key }}={{ .Value }}]{{ end }}{{ end }}", found
    ) == ("b[c=1][d/e=2]")
    assert [pair.Key for pair in found] == ["a", "b/c", "b/d/e", "f/"]
    assert render("{{ explode . | toJSON }}", found) == '{"a":"top","b":{"c":"1","d":{"e":"2"}},"f":{}}'
    assert render("{{ toJSON . }}", pairs(a="x")) == '[{"Key":"a","Value":"x"}]'
    assert render("{{ toYAML . }}", pairs(a="x")) == "- key: a\n  value: x"


def test_groups_of_services(render: Render) -> None:
    show = "{{ range $k, $v := %s }}{{ $k }}:{{ range $v }} {{ .ID }}{{ end }};{{ end }}"
    found = services("x", "y", "z")
    assert render(show % "byTag .", found) == "all: x y z;t0: x;t1: y;t2: z;"
    assert render(show % "byPort .", found) == "80: x z;81: y;"
    assert render(show % 'byMeta "env,shard|int" .', found) == "_no_env__00000: z;a_b_00007: x;c_00000: y;"
    assert render("{{ index (byPort .) 81 | len }}", found) == "1"
    with pytest.raises(TemplateError, match=r"cannot parse a\.b as number"):
        render('{{ byMeta "env|int" . }}', found)


def test_write_to_file(render: Render, written: list[FileWrite]) -> None:
    render('{{ "é" | writeToFile "/a" "u" "7" "0640" }}{{ "x" | writeToFile "/b" "" "" "600" "append,newline" }}')
    assert written == [
        FileWrite("/a", "é".encode(), 0o640, "u", "7"),
        FileWrite("/b", b"x\n", 0o600, append=True),
    ]
