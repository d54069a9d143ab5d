"""Which names of variables are refused, reported, or taken."""

import pytest

from pyconsul.tools.envconsul.unsafe_names import Verdict, judge
from pyconsul.tools.envconsul.variables import Naming, Variable, environment


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "LD_AUDIT", "BASH_ENV", "BASH_FUNC_ls%%", "IFS", "GCONV_PATH", "PYTHONSTARTUP", "PERL5OPT"]
)
def test_names_that_load_code_are_refused_unless_allowed(name: str) -> None:
    assert judge(name, (), strict=False) is Verdict.REFUSED
    assert judge(name, (name,), strict=False) is Verdict.TAKEN


@pytest.mark.parametrize("name", ["PATH", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "PYTHONPATH"])
def test_names_with_honest_uses_are_reported_and_refused_on_demand(name: str) -> None:
    assert judge(name, (), strict=False) is Verdict.REPORTED
    assert judge(name, (), strict=True) is Verdict.REFUSED
    assert judge(name, ("*",), strict=True) is Verdict.TAKEN


@pytest.mark.parametrize("name", ["DB_HOST", "ld_preload", "PATHS", "LANG"])
def test_other_names_are_taken(name: str) -> None:
    assert judge(name, (), strict=True) is Verdict.TAKEN


def test_the_final_name_counts_and_the_origin_is_reported() -> None:
    warnings: list[str] = []
    group = [Variable("ld-preload", "hush.so", "key app/ld-preload"), Variable("a", "1", "key app/a")]
    assert environment([group], Naming(sanitize=True, upcase=True), warnings.append) == {"A": "1"}
    assert len(warnings) == 1
    assert all(part in warnings[0] for part in ("key app/ld-preload", "LD_PRELOAD", "-allow-name"))
    assert "hush" not in warnings[0]
    allowed = Naming(sanitize=True, upcase=True, allowed=("LD_*",))
    assert environment([group], allowed, warnings.append)["LD_PRELOAD"] == "hush.so"
