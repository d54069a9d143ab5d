"""Recorded renderings of templates that ask Consul for nothing, when the recordings are there (../shared)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pyconsul.tools.gotemplate.errors import TemplateError
from pyconsul.tools.gotemplate.functions.helpers import Helpers
from pyconsul.tools.gotemplate.functions.real_surroundings import real_surroundings
from pyconsul.tools.gotemplate.runtime.signature import function
from pyconsul.tools.gotemplate.template import parse

RECORDINGS = Path(__file__).resolve().parents[5] / "shared/conformance/tools/cases/templates"
PENDING = (Path(__file__).resolve().parents[3] / "conformance/pending.txt").read_text().split()
LOOKUPS = ("key", "ls ", "tree", "service", "nodes", "node ", "datacenters", "keyOrDefault")


def recorded_cases() -> Iterator[Any]:
    for path in sorted(RECORDINGS.glob("*.yaml")):
        if f"tools/cases/templates/{path.stem}" in PENDING:
            continue
        for case in yaml.safe_load(path.read_text())["cases"]:
            if "template" in case and not any(word in case["template"] for word in LOOKUPS):
                yield pytest.param(case, id=f"{path.stem}: {case['name']}")


def render(case: dict[str, Any], folder: Path) -> str:
    def read(name: str) -> str:
        return (folder / name).read_text()

    options = dict(argument.removeprefix("-").split("=", 1) for argument in case.get("args", []))
    left, right = (options.get(f"-default-{side}-delimiter".removeprefix("-"), "") for side in ("left", "right"))
    environ = case.get("env", {})
    helpers = Helpers(environ, real_surroundings, case["template"])
    lookups = {"file": function(read, "string")}
    template = parse("in.ctmpl", case["template"], left, right, [*helpers.names, *lookups])
    return template.execute(None, {**helpers.functions(), **lookups})


@pytest.mark.skipif(not RECORDINGS.exists(), reason=f"the recordings are not there: {RECORDINGS}")
@pytest.mark.parametrize("case", [*recorded_cases()])
def test_recorded(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in case.get("files", {}).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    expected = case["expect"]
    if expected["exit"] == 0:
        assert render(case, tmp_path) == expected["output"]
    else:
        with pytest.raises(TemplateError):
            render(case, tmp_path)
