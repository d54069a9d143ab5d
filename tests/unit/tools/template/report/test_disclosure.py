"""What texts of errors must not show."""

from pyconsul.tools.template.deploy.rendering import Rendering
from pyconsul.tools.template.evaluate.evaluator import Evaluator
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.feed.records import KeyPair
from pyconsul.tools.template.report.disclosure import Disclosure
from pyconsul.tools.template.spec import Spec


def _rendered(answers: Answers, contents: str) -> Rendering:
    spec = Spec("out", contents=contents)
    rendering = Rendering(spec, Evaluator(spec, {}))
    rendering.evaluate(answers, 0.0)
    return rendering


def test_keys_files_and_telling_variables_are_hidden() -> None:
    answers = Answers()
    answers.put(lookups.key("a"), KeyPair("a", "a", "hunter2"))
    answers.put(lookups.file("f"), "tr0ub4dor\n")
    rendering = _rendered(answers, '{{ key("a") }}{{ file("f") }}')
    disclosure = Disclosure(answers, {"DB_PASSWORD": "s3cr3t", "HOME": "/home/me", "TOKEN": None})
    text = "hunter2 tr0ub4dor s3cr3t /home/me"
    assert disclosure.conceal(text, rendering) == "**** **** **** /home/me"
    assert disclosure.conceal_all(text) == "**** **** **** /home/me"


def test_arguments_that_a_function_cannot_parse_are_hidden() -> None:
    answers = Answers()
    rendering = _rendered(answers, "x")
    text = r'parseInt: strconv.ParseInt: parsing "hunter\"2": invalid syntax'
    assert (
        Disclosure(answers, {}).conceal(text, rendering) == 'parseInt: strconv.ParseInt: parsing "****": invalid syntax'
    )
