"""Which files were made by a template with `for_each`, remembered beside them, so that a later run can remove those
of items that are gone.

It is a hidden file in the first folder of the destination that has no expression in it: a JSON object whose keys are the
destinations as they are written in the configuration, with lists of paths.
"""

from __future__ import annotations

import json
import logging

from pyconsul.agent.common.reasons import reason
from pyconsul.tools.template.deploy.file_writer import draft
from pyconsul.tools.template.spec import Spec

log = logging.getLogger("template")

_NAME = ".pyconsul-template.json"


class Manifest:
    """Of one template. A manifest that cannot be read counts as empty: then nothing is removed."""

    def __init__(self, spec: Spec) -> None:
        self._pattern = spec.destination
        self.path = spec.fixed_folder / _NAME
        self._known: frozenset[str] | None = None

    def read(self) -> frozenset[str]:
        """The files of the template."""
        if self._known is None:
            files = self._document().get(self._pattern, [])
            self._known = frozenset(file for file in files if isinstance(file, str))
        return self._known

    def write(self, files: frozenset[str]) -> None:
        """Remember these; does nothing when nothing has changed. Raises RenderError."""
        if files == self.read():
            return
        document = self._document()
        document[self._pattern] = sorted(files)
        text = json.dumps({key: value for key, value in document.items() if value}, indent=2) + "\n"
        draft(Spec(str(self.path)), text.encode()).promote()
        self._known = files

    def _document(self) -> dict[str, list[str]]:
        try:
            document = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read (%s): files of former runs are not removed", self.path, reason(error))
            return {}
        return document if isinstance(document, dict) else {}
