"""HCL and JSON configuration files become plain values."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.tools.options.hcl_file import ConfigError, config_files, parse_config, read_config


def test_values_and_blocks() -> None:
    text = 'a = "x"\nn = -3\nf = 1.5\nt = true\nl = ["p", 2]\nb { c = "d" }\nb {\n  c = "e"\n}\n'
    assert parse_config(text, "c.hcl") == {
        "a": "x",
        "n": -3,
        "f": 1.5,
        "t": True,
        "l": ["p", 2],
        "b": [{"c": "d"}, {"c": "e"}],
    }


def test_several_attributes_on_a_line() -> None:
    assert parse_config('t { a = "1" b = "2" }', "c.hcl") == {"t": [{"a": "1", "b": "2"}]}


def test_strings_keep_shell_and_template_syntax() -> None:
    text = r'c = "echo ${name:-x} %{http_code} \\ \" {{ env \"A\" }}\n"'
    assert parse_config(text, "c.hcl") == {"c": 'echo ${name:-x} %{http_code} \\ " {{ env "A" }}\n'}


def test_heredocs() -> None:
    assert parse_config('c = <<EOT\n a "b" \\n ${x}\nEOT\n', "c") == {"c": ' a "b" \\n ${x}\n'}
    assert parse_config("c = <<-EOT\n  a\n    b\n  EOT\n", "c") == {"c": "a\n  b\n"}
    assert parse_config("c = <<-EOT\n a\n    b\n  EOT\n", "c") == {"c": " a\n    b\n"}


def test_json() -> None:
    assert parse_config('{"a": {"b": [1]}}', "c.hcl") == {"a": {"b": [1]}}


@pytest.mark.parametrize("text", ["prefix { path = ", "a = ", "{", "= 1", 'a = "x'])
def test_syntax_errors_name_the_file(text: str) -> None:
    with pytest.raises(ConfigError, match=r"c\.hcl"):
        parse_config(text, "c.hcl")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('grace = "1s"\nprefix { path = ]\n', "configuration c:2:17: no valid HCL\n    prefix { path = ]"),
        (
            '{"token": "hunter2",\n "once": nope}',
            'configuration c:2:10: no valid JSON: Expecting value\n    "once": nope}',
        ),
        ("prefix { path = ", "configuration c:1:17: no valid HCL\n    prefix { path ="),
    ],
)
def test_syntax_errors_have_location_and_excerpt(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(text, "c")
    assert str(raised.value) == message


def test_a_json_file_must_hold_an_object(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("[]")
    with pytest.raises(ConfigError, match="object"):
        read_config(tmp_path / "c.json")


@settings(max_examples=40)
@given(st.text(alphabet=string.printable.replace("\x0b", "").replace("\x0c", "") + "é€"))
def test_any_string_survives(text: str) -> None:
    assert parse_config(f"a = {json.dumps(text, ensure_ascii=False)}", "c.hcl") == {"a": text}


def test_folders_in_order(tmp_path: Path) -> None:
    (tmp_path / "20.hcl").touch()
    (tmp_path / "10.json").touch()
    assert [file.name for file in config_files(str(tmp_path))] == ["10.json", "20.hcl"]
    with pytest.raises(ConfigError, match="no such file"):
        config_files(str(tmp_path / "none"))
