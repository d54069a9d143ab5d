"""What is asked for prefixes and services, and what the answers mean."""

import base64

import pytest

from pyconsul.tools.envconsul.options import OPTIONS
from pyconsul.tools.envconsul.sources import Source, sources_of
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import Settings, load_settings, merge, parse_flags


def sources(*argv: str, blocks: dict[str, object] | None = None, **environ: str) -> list[Source]:
    settings = load_settings(OPTIONS, parse_flags(OPTIONS, argv), environ)
    return sources_of(Settings(OPTIONS, merge(blocks or {}, settings.tree), environ), environ)


def entry(key: str, value: bytes | None = b"v") -> dict[str, object]:
    return {"Key": key, "Value": None if value is None else base64.b64encode(value).decode()}


@pytest.mark.parametrize(
    ("prefix", "path", "params"),
    [
        ("app", "/v1/kv/app", {"recurse": ""}),
        ("app/", "/v1/kv/app/", {"recurse": ""}),
        ("/app", "/v1/kv/app", {"recurse": ""}),
        ("a/b@dc-2", "/v1/kv/a/b", {"recurse": "", "dc": "dc-2"}),
        ("/", "/v1/kv/", {"recurse": ""}),
    ],
)
def test_queries_of_prefixes(prefix: str, path: str, params: dict[str, str]) -> None:
    [source] = sources("-prefix", prefix)
    assert (source.path, source.params) == (path, params)


def test_keys_below_a_prefix() -> None:
    [source] = sources("-prefix", "app")
    answer = [entry("app/"), entry("app/a", b"1"), entry("app/d/e", b" x\n"), entry("app/n", None)]
    got = [(variable.name, variable.value) for variable in source.variables(answer)]
    assert got == [("a", "1"), ("d/e", " x\n"), ("n", "")]
    assert list(source.variables(None)) == []


def test_bytes_that_are_no_text_survive() -> None:
    [source] = sources("-prefix", "app")
    [variable] = source.variables([entry("app/a", b"\xff\x80")])
    assert variable.value.encode(errors="surrogateescape") == b"\xff\x80"


def test_the_prefix_as_a_part_of_the_name() -> None:
    [source] = sources("-no-prefix=false", "-prefix", "/app/db")
    assert [variable.name for variable in source.variables([entry("app/db/x/y")])] == ["app_db_x/y"]


def test_blocks_win_over_the_flag() -> None:
    [source] = sources("-no-prefix=false", blocks={"prefix": [{"path": "a", "no_prefix": True, "format": "p_{{key}}"}]})
    assert [variable.name for variable in source.variables([entry("a/x")])] == ["p_x"]


def test_variables_in_paths() -> None:
    [source] = sources(blocks={"prefix": [{"path": '{{ env "STAGE" }}/app'}]}, STAGE="prod")
    assert source.path == "/v1/kv/prod/app"


@pytest.mark.parametrize(
    ("query", "path", "params"),
    [
        ("web", "/v1/catalog/service/web", {}),
        ("my-api@dc2", "/v1/catalog/service/my-api", {"dc": "dc2"}),
        ("release.web", "/v1/catalog/service/web", {"tag": "release"}),
        ("v1.2.web@dc1~n1", "/v1/catalog/service/web", {"tag": "v1.2", "dc": "dc1", "near": "n1"}),
    ],
)
def test_queries_of_services(query: str, path: str, params: dict[str, str]) -> None:
    [source] = sources("-service-query", query)
    assert (source.path, source.params) == (path, params)


def test_instances_of_a_service() -> None:
    [source] = sources("-service-query", "web", "-service-format-id", "the_{{key}}")
    instance = {"ServiceID": "web1", "ServiceName": "web", "ServicePort": 80, "ServiceTags": ["b", "a"], "Address": "n"}
    got = {variable.name: variable.value for variable in source.variables([instance])}
    assert got == {"the_id": "web1", "web/name": "web", "web/address": "", "web/tag": "a,b", "web/port": "80"}


def test_prefixes_come_before_services_and_keep_their_order() -> None:
    paths = [source.path for source in sources("-service-query", "web", "-prefix", "b", "-prefix", "a")]
    assert paths == ["/v1/kv/b", "/v1/kv/a", "/v1/catalog/service/web"]


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (("-prefix", "a@b@c"), "invalid prefix"),
        (("-service-query", "a b"), "invalid service query"),
        (("-service-query", "web", "-service-format-port", "{{nope}}"), "not defined"),
    ],
)
def test_unreadable_sources(argv: tuple[str, ...], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        sources(*argv)


def test_a_bad_format_of_a_prefix_is_reported_at_once() -> None:
    with pytest.raises(ConfigError, match="unclosed"):
        sources(blocks={"prefix": [{"path": "a", "format": "{{ key"}]})
