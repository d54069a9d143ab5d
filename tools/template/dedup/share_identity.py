"""Which templates share their answers: those that are the same, wherever they come from and go to."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from pyconsul.agent.common.structs import replace
from pyconsul.tools.template.evaluate.template_text import read_source
from pyconsul.tools.template.feed.share_id import ShareId

if TYPE_CHECKING:
    from pyconsul.tools.template.spec import Spec


def sharing(spec: Spec) -> Spec:
    """Return the same, with its name in a fleet, made of its text and of how that is read. Raises TemplateError."""
    read = ["pyconsul-template", spec.syntax, spec.left, spec.right, spec.for_each, read_source(spec)]
    digest = hashlib.sha256(msgspec.json.encode(read)).hexdigest()
    return replace(spec, share=ShareId(digest[:32], spec.name))
