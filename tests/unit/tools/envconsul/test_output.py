"""Variables as text, read back by the programs that such text is for."""

import json
import subprocess

from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.tools.envconsul.output import render_variables

VALUES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=30)


def render(variables: dict[str, str], form: str) -> tuple[str, list[str]]:
    warnings: list[str] = []
    return render_variables(variables, form, warnings.append), warnings


def test_sorted_lines() -> None:
    values = {"b": 'x "y" $z', "a": "1\n2"}
    assert render(values, "dotenv")[0] == 'a="1\\n2"\nb="x \\"y\\" \\$z"\n'
    assert render(values, "shell")[0] == "export a='1\n2'\nexport b='x \"y\" $z'\n"
    assert render(values, "systemd")[0] == 'a="1\n2"\nb="x \\"y\\" \\$z"\n'
    assert json.loads(render(values, "json")[0]) == values


def test_names_that_only_json_can_hold() -> None:
    assert render({"a/b": "1"}, "json") == ('{\n  "a/b": "1"\n}\n', [])
    text, warnings = render({"a/b": "hush", "c": "2"}, "shell")
    assert text == "export c=2\n"
    assert len(warnings) == 1
    assert "hush" not in warnings[0]


@settings(max_examples=25, deadline=None)
@given(VALUES)
def test_a_shell_reads_it_back(value: str) -> None:
    text, _ = render({"a": value}, "shell")
    got = subprocess.run(["sh", "-c", text + 'printf %s "$a"'], capture_output=True, check=True).stdout
    assert got == value.encode()
