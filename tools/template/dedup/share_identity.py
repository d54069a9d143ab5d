"""Identify equal templates on several machines, whatever their files: they share their answers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from pyconsul.agent.common.structs import replace
from pyconsul.tools.template.evaluate.template_text import read_source
from pyconsul.tools.template.feed.share_id import ShareId

if TYPE_CHECKING:
    from pyconsul.tools.template.spec import Spec


def with_share_id(spec: Spec) -> Spec:
    """Return the spec with the ID of its share, made of its text and its syntax. Raises TemplateError."""
    read = ["pyconsul-template", spec.syntax, spec.left, spec.right, spec.for_each, read_source(spec)]
    digest = hashlib.sha256(msgspec.json.encode(read)).hexdigest()
    return replace(spec, share=ShareId(digest[:32], spec.name))
