"""Examples for the page pyconsul-template-functions(7): each is rendered when the page is made, so its output is true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pyconsul.tools.docs.roff import Section
from pyconsul.tools.template.fixture.case_verdict import render
from pyconsul.tools.template.fixture.fixture import Fixture, read
from pyconsul.tools.template.fixture.yaml_source import parse
from pyconsul.tools.template.spec import Spec

FIXTURE = """\
agent: n1
services:
  web:
    - {node: n1, port: 8080, tags: [a, v1], meta: {zone: east}}
    - {node: n2, port: 8081, tags: [b], meta: {zone: west}}
    - {node: n2, port: 8082, id: web-3, status: critical}
nodes: {n1: 10.0.0.1, n2: 10.0.0.2}
keys:
  app/name: demo
  app/limits: '{"rps": 10}'
  app/db/: {host: db1, user: "o'neil"}
files: {/etc/motd: hello}
env: {REGION: eu}
"""


class Group(NamedTuple):
    """Functions of one purpose. `syntax`: "jinja2" or "go"."""

    title: str
    syntax: str
    templates: Sequence[str]


GROUPS = (
    Group(
        "services and nodes",
        "jinja2",
        (
            '{% for s in service("web") %}{{ s.id }} {{ s.address }}:{{ s.port }}; {% endfor %}',
            '{{ service("web", status="any")|length }} {{ service("web", tag="v1")|length }}',
            '{% for s in services() %}{{ s.name }} {{ s.tags|join(",") }}; {% endfor %}',
            '{% for n in nodes() %}{{ n.node }}={{ n.address }} {% endfor %}{{ node("n1").node.address }}',
            '{{ datacenters()|join(",") }}',
        ),
    ),
    Group(
        "keys, files and variables",
        "jinja2",
        (
            '{{ key("app/name") }} {{ key_or_default("app/x", "none") }} {{ key_exists("app/x") }}',
            '{{ pair("app/name").flags }} {% for p in ls("app/db") %}{{ p.key }}={{ p.value }} {% endfor %}',
            '{% for p in tree("app") %}{{ p.key }} {% endfor %}',
            '{{ safe_ls("app/db")|length }} {{ safe_tree("app/db")|length }}',
            '{{ file("/etc/motd") }} {{ env("REGION") }} {{ env("ZONE", "z1") }}',
        ),
    ),
    Group(
        "groups of instances and keys",
        "jinja2",
        (
            '{% for tag, found in service("web")|by_tag|dictsort %}{{ tag }}: {{ found|length }}; {% endfor %}',
            '{% for zone, found in service("web")|by_meta("zone")|dictsort %}{{ zone }} {% endfor %}',
            '{% for port, found in service("web")|by_port|dictsort %}{{ port }} {% endfor %}',
            '{% for folder, pairs in tree("app")|by_key|dictsort %}{{ folder }}: {{ pairs|length }}{% endfor %}',
            '{{ tree("app/db")|explode|to_json }}',
        ),
    ),
    Group(
        "formats",
        "jinja2",
        (
            '{{ (key("app/limits")|parse_json).rps }} {{ (key("app/limits")|from_json).rps }}',
            '{{ ("a: [1, 2]"|parse_yaml).a }} {{ ("a: 3"|from_yaml).a }}',
            '{{ {"b": 1, "a": [2]}|to_json }} {{ {"a": 1}|json }}',
            '{{ {"a": 1}|to_json_pretty }}',
            '{{ {"a": [1, 2]}|to_yaml }}',
        ),
    ),
    Group(
        "encodings and hashes",
        "jinja2",
        (
            '{{ "hi?"|base64_encode }} {{ "aGk/"|base64_decode }} {{ "hi"|b64encode }} {{ "aGk="|b64decode }}',
            '{{ "hi?"|base64_url_encode }} {{ "aGk_"|base64_url_decode }}',
            '{{ "x"|md5 }} {{ "x"|sha1 }}',
            '{{ "x"|sha256 }}',
            '{{ ("x"|sha512)[:16] }} {{ ("x"|hmac_sha256("key"))[:16] }}',
        ),
    ),
    Group(
        "texts",
        "jinja2",
        (
            '{{ "a,b"|split(",")|join("+") }} {{ "v1.2"|regex_match("^v[0-9]") }}',
            r'{{ "web-12"|regex_replace("(\\w+)-(\\d+)", "\\2-\\1") }} {{ "a1 b2"|regex_findall("[0-9]")|join }}',
        ),
    ),
    Group(
        "quoting",
        "jinja2",
        ('{{ key("app/db/user")|shell }} {{ "a b"|haproxy }} {{ "a;b"|nginx }} {{ "a b"|raw }}',),
    ),
    Group(
        "services and nodes",
        "go",
        (
            '{{ range service "web" }}{{ .ID }} {{ .Address }}:{{ .Port }}; {{ end }}',
            '{{ len (service "v1.web") }} {{ len (service "web|any") }}',
            '{{ range services }}{{ .Name }} {{ .Tags | join "," }}{{ end }}',
            '{{ range nodes }}{{ .Node }}={{ .Address }} {{ end }}{{ with node "n1" }}{{ .Node.Address }}{{ end }}',
            "{{ range datacenters }}{{ . }}{{ end }}",
        ),
    ),
    Group(
        "keys, files and variables",
        "go",
        (
            '{{ key "app/name" }} {{ keyOrDefault "app/x" "none" }} {{ keyExists "app/x" }}',
            '{{ with keyExistsGet "app/name" }}{{ .Value }}{{ end }}',
            '{{ range ls "app/db" }}{{ .Key }}={{ .Value }} {{ end }}{{ range tree "app" }}{{ .Key }} {{ end }}',
            '{{ len (safeLs "app/db") }} {{ len (safeTree "app/db") }}',
            '{{ file "/etc/motd" }} {{ env "REGION" }} {{ envOrDefault "ZONE" "z1" }} {{ mustEnv "REGION" }}',
        ),
    ),
    Group(
        "groups and lists",
        "go",
        (
            '{{ range $tag, $found := service "web" | byTag }}{{ $tag }}: {{ len $found }}; {{ end }}',
            '{{ range $zone, $found := service "web" | byMeta "zone" }}{{ $zone }} {{ end }}',
            '{{ range $folder, $pairs := tree "app" | byKey }}{{ $folder }}: {{ len $pairs }}{{ end }}',
            '{{ tree "app/db" | explode | toJSON }} {{ range loop 3 }}{{ . }}{{ end }}',
            '{{ range service "web" }}{{ if .Tags | contains "v1" }}{{ .ID }}{{ end }}{{ end }} {{ "web" | in "a web" }}',
        ),
    ),
    Group(
        "texts",
        "go",
        (
            '{{ "a,b" | split "," | join "+" }} {{ "Web" | toLower }} {{ "web" | toUpper }} {{ "a b" | toTitle }}',
            '{{ " x " | trimSpace }} {{ "xax" | trim "x" }} {{ "v1" | trimPrefix "v" }} {{ "a.cfg" | trimSuffix ".cfg" }}',
            '{{ "a-b" | replaceAll "-" "_" }} {{ "web-12" | regexReplaceAll "[0-9]+" "N" }} {{ "v1" | regexMatch "^v" }}',
            '{{ "x" | indent 2 }} {{ (splitToMap "," ":" "a:1,b:2").b }}',
        ),
    ),
    Group(
        "formats, encodings and hashes",
        "go",
        (
            '{{ (key "app/limits" | parseJSON).rps }} {{ ("a: 1" | parseYAML).a }}',
            '{{ key "app/limits" | parseJSON | toYAML }} / {{ key "app/limits" | parseJSON | toTOML }}',
            '{{ "hi?" | base64Encode }} {{ "aGk/" | base64Decode }} {{ "hi?" | base64URLEncode }}',
            '{{ "x" | md5sum }} {{ "x" | sha256Hex | sprig_trunc 16 }} {{ hmacSHA256Hex "x" "key" | sprig_trunc 16 }}',
        ),
    ),
    Group(
        "numbers",
        "go",
        (
            "{{ add 1 2 }} {{ 5 | subtract 2 }} {{ multiply 2 3 }} {{ divide 2 7 }} {{ modulo 2 7 }}",
            '{{ minimum 1 2 }} {{ maximum 1 2 }} {{ "7" | parseInt }} {{ "1.5" | parseFloat }} {{ "true" | parseBool }}',
        ),
    ),
    Group(
        "quoting",
        "go",
        (
            '{{ key "app/db/user" | shell }} {{ "a b" | haproxy }} {{ "a;b" | nginx }} {{ "a b" | json }} {{ "a b" | raw }}',
        ),
    ),
    Group(
        "Sprig",
        "go",
        (
            '{{ "web" | sprig_upper | sprig_quote }} {{ sprig_default "none" "" }} {{ sprig_ternary "y" "n" true }}',
            '{{ sprig_list 1 2 3 | sprig_reverse | toJSON }} {{ (sprig_dict "a" 1).a }} {{ sprig_max 1 5 3 }}',
            '{{ sprig_semverCompare ">=1.2" "1.3.0" }} {{ "a/b.cfg" | sprig_base }} {{ sprig_duration 95 }}',
        ),
    ),
    Group(
        "values kept while a template is rendered",
        "go",
        ('{{ scratch.Set "n" 1 }}{{ scratch.Get "n" }} {{ scratch.Key "n" }}',),
    ),
)


def sections(syntax: str) -> list[Section]:
    """Return a section for each group of a syntax ("jinja2" or "go"): templates, and behind an arrow their output."""
    fixture = read(parse(FIXTURE, "fixture.yaml"), Path())
    word = {"jinja2": "Jinja2", "go": "Go"}[syntax]
    return [
        Section(
            f"EXAMPLES, {word}: {group.title}",
            literal=[line for text in group.templates for line in _example(group, text, fixture)],
        )
        for group in GROUPS
        if group.syntax == syntax
    ]


def _example(group: Group, text: str, fixture: Fixture) -> Iterator[str]:
    yield text
    output = render(Spec("", contents=text, syntax=group.syntax), fixture, {})
    yield from (f"  -> {line}" for line in output.splitlines() or [""])
