"""Go templates as the tool reads them: what they may call."""

from __future__ import annotations

import pytest

from pyconsul.tools.template.evaluate.contract import TemplateError
from pyconsul.tools.template.evaluate.evaluator import Evaluator
from pyconsul.tools.template.spec import Spec


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{{ with secret "a/b" }}{{ end }}', "Vault is not supported"),
        ('{{ range nomadService "a" }}{{ end }}', "Nomad is not supported"),
        ("{{ caRoots }}", "service mesh, peering and partitions are not supported"),
        ("{{ zzz }}", 'template: contents of out:1:3: function "zzz" not defined'),
        ("{{ srvice }}", 'template: contents of out:1:3: function "srvice" not defined; did you mean service?'),
    ],
)
def test_functions_that_do_not_exist_here(text: str, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Evaluator(Spec("out", contents=text, syntax="go"), {})
    assert str(caught.value).endswith(words)
