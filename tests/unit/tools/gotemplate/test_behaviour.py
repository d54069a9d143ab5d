"""What Go's own packages make of some hundred templates (behaviour.yaml): texts and messages are the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pytest
import yaml

from pyconsul.tools.gotemplate.errors import GoError, TemplateError
from pyconsul.tools.gotemplate.runtime.signature import function
from pyconsul.tools.gotemplate.runtime.values import Int64, Map, NilPointer, Uint64, strings
from pyconsul.tools.gotemplate.template import parse

CASES = yaml.safe_load(Path(__file__).with_name("behaviour.yaml").read_text())

#: What Go's parser complains about has a line alone, ours has a column, too.
PARSE_ERROR = re.compile(r"^(template: t:\d+):\d+(?=: (?!executing))")


class Pair:
    go_type: ClassVar[str] = "main.KP"
    go_fields: ClassVar[tuple[str, ...]] = ("Path", "Key", "Value", "Flags", "Tags", "Meta", "Next", "Any")
    go_methods: ClassVar[dict[str, Any]] = {"Hello": function(lambda pair, text: "hello " + text, "string")}

    def __init__(self, **values: Any) -> None:
        self.Path = self.Key = self.Value = ""
        self.Flags, self.Tags, self.Meta = Uint64(0), strings([]), Map("map[string]string")
        self.Next: Any = NilPointer("*main.KP")
        self.Any: Any = None
        vars(self).update(values)


PAIR = Pair(
    Path="a/b",
    Key="b",
    Value="v",
    Flags=Uint64(7),
    Tags=strings(["x", "y"]),
    Meta=Map("map[string]string", {"k": "w"}),
    Next=Pair(Path="n"),
    Any=3,
)


def fail(text: str) -> NoReturn:
    raise GoError("failed: " + text)


FUNCTIONS = {
    "parseJSON": function(lambda text: json.loads(text, parse_int=float), "string"),
    "split": function(lambda separator, text: strings(text.split(separator)), "string", "string"),
    "join": function(lambda separator, items: separator.join(items), "string", "[]string"),
    "toUpper": function(str.upper, "string"),
    "fail": function(fail, "string"),
    "i64": function(Int64, "int"),
    "u64": function(Uint64, "int"),
    "half": function(lambda number: number / 2, "float64"),
    "neg": function(lambda value: not value, "bool"),
    "kp": function(lambda: PAIR),
    "nilkp": function(lambda: NilPointer("*main.KP")),
    "rep": function(lambda count, text: text * count, "int", "string"),
    "vari": function(lambda text, *more: f"{text}[{' '.join(map(str, more))}]", "string", "...int"),
    "none": function(lambda: None),
}


@pytest.mark.parametrize("case", CASES, ids=[case["template"][:60] for case in CASES])
def test_behaviour(case: dict[str, str]) -> None:
    if "error" in case:
        with pytest.raises(TemplateError) as caught:
            parse("t", case["template"], functions=FUNCTIONS).execute(None, FUNCTIONS)
        assert PARSE_ERROR.sub(r"\1", str(caught.value)) == case["error"]
    else:
        assert parse("t", case["template"], functions=FUNCTIONS).execute(None, FUNCTIONS) == case["output"]
