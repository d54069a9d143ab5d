"""Templates over a container: registrator's Go functions, Jinja2, and which language a text is in."""

from __future__ import annotations

import pytest
from support.containers import container

from pyconsul.tools.registrator.desired.containers import Port
from pyconsul.tools.registrator.desired.template_contract import TemplateFailed
from pyconsul.tools.registrator.desired.templates import parse_go_template, parse_template

WEB = container(
    labels={"team": "blue", "list": "a,b,c"},
    env=["A=1", "B=2"],
    Hostname="inner",
    Cmd=["run", "--port", "80"],
    expose=["80"],
)


def fetch(url: str) -> str:
    if url != "http://meta/":
        raise OSError("no such host")
    return '{"zone": {"name": "eu", "ids": [1, 2]}}'


def go(text: str) -> str:
    return parse_go_template("-tags", text, fetch).render(WEB, Port(80), "app")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{.Name}} {{.Config.Hostname}} {{.State.Status}}", "/web inner running"),
        ("{{strSlice .ID 0 12}}", WEB.id[:12]),
        ('{{strSlice "abcdef" 4}}', "ef"),
        ("{{sIndex 1 .Config.Cmd}} {{sIndex -1 .Config.Cmd}} {{sIndex 9 .Config.Cmd}}", "--port 80 80"),
        ('{{mIndex "team" .Config.Labels}}{{mIndex "none" .Config.Labels}}', "blue"),
        (
            '{{toUpper "a"}}{{toLower "B"}}{{replace -1 "a" "o" "banana"}}{{replace 1 "a" "o" "banana"}}',
            "Abbononobonana",
        ),
        ('{{join "-" .Config.Cmd}}', "run---port-80"),
        ('{{join "+" (split "," .Config.Labels.list)}}', "a+b+c"),
        ('{{splitIndex -1 "/" .Config.Image}}', "app:1.0"),
        ('{{matchFirstElement "^B=" .Config.Env}} {{join "" (matchAllElements "=" .Config.Env)}}', "B=2 A=1B=2"),
        ('{{matchFirstElement "^X=" .Config.Env}}', ""),
        ('{{jsonParse (httpGet "http://meta/") "zone::name"}}', "eu"),
        ('{{jsonParse (httpGet "http://meta/") "zone::ids::1"}}', "2"),
        ('{{jsonParse (httpGet "http://meta/") "zone::nothing"}}', ""),
        ("{{.Config.Labels.team}} {{len .NetworkSettings.Networks}} {{.HostConfig.NetworkMode}}", "blue 1 default"),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "list=a,b,c;team=blue;"),
    ],
)
def test_go(text: str, shown: str) -> None:
    assert go(text) == shown


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{{.Nonsense}}", "can't evaluate field Nonsense in type \\*docker.Container"),
        ('{{httpGet "http://other/"}}', "no such host"),
        ('{{jsonParse "{" "a"}}', "jsonParse"),
        ('{{matchFirstElement "(" .Config.Env}}', "invalid regular expression"),
        ('{{strSlice "a"}}', "one or two positions"),
        ("{{", "unclosed action"),
    ],
)
def test_go_that_fails(text: str, error: str) -> None:
    with pytest.raises(TemplateFailed, match=error):
        go(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ labels.team }}-{{ name }}-{{ port }}", "blue-app-80"),
        ("{{ container.Config.Hostname }}", "inner"),
        ("{{ env.A }}{{ container_name }}", "1web"),
        ("{{.Config.Hostname}}", "inner"),
        ("{{toUpper .Name}}", "/WEB"),
        ("plain", "plain"),
    ],
)
def test_either_language(text: str, shown: str) -> None:
    assert parse_template("-name-template", text, fetch).render(WEB, Port(80), "app") == shown


def test_what_is_neither_language() -> None:
    with pytest.raises(TemplateFailed, match=r"-name-template: not Jinja2 \(.*\), and not Go \(.*\)"):
        parse_template("-name-template", "{{ 1 1 }}{{nothing}}", fetch)
    with pytest.raises(TemplateFailed, match="-name-template: 'nothing' is undefined"):
        parse_template("-name-template", "{{ nothing }}", fetch).render(WEB, Port(80), "app")
