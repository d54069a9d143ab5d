"""Names of variables, and which of several wins."""

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.envconsul.variables import Naming, Variable, environment


def env(*groups: dict[str, str], naming: Naming | None = None) -> tuple[dict[str, str], list[str]]:
    warnings: list[str] = []
    variables = [[Variable(name, value, f"key {name}") for name, value in group.items()] for group in groups]
    return environment(variables, naming or Naming(), warnings.append), warnings


def test_names_are_left_alone() -> None:
    assert env({"db/host": "a", "Mixed-Case.key": "b"}) == ({"db/host": "a", "Mixed-Case.key": "b"}, [])


def test_sanitize_and_upcase() -> None:
    assert env({"db/user.name": "a"}, naming=Naming(sanitize=True))[0] == {"db_user_name": "a"}
    assert env({"db/user.name": "a"}, naming=Naming(sanitize=True, upcase=True))[0] == {"DB_USER_NAME": "a"}


def test_the_right_group_wins_silently() -> None:
    assert env({"a": "1", "b": "1"}, {"a": "2"}) == ({"a": "2", "b": "1"}, [])


def test_keys_with_one_name_are_reported() -> None:
    result, warnings = env({"a-b": "hush1", "a.b": "hush2"}, naming=Naming(sanitize=True))
    assert result == {"a_b": "hush2"}
    assert len(warnings) == 1
    assert "a-b" in warnings[0]
    assert "a.b" in warnings[0]
    assert "hush" not in warnings[0]


def test_invalid_variables() -> None:
    result, warnings = env({"a=b": "1", " ": "2", "n": "x\0y", "ok": "3"})
    assert result == {"ok": "3"}
    assert len(warnings) == 3


@given(st.text())
def test_sanitized_names_are_fit_for_a_shell(name: str) -> None:
    result = Naming(sanitize=True, upcase=True).apply(name)
    assert len(result) == len(name)
    assert set(result) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
