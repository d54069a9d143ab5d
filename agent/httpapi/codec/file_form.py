"""A service registered as a configuration file defines it: `{"service": {…}}`, with the keys that files have.

Consul takes only the bare definition over HTTP; here `curl -d @service.json` works with the very file.
"""

from __future__ import annotations

from pyconsul.agent.config.definitions import services
from pyconsul.agent.config.problems import Problems
from pyconsul.agent.health.definition import CheckError
from pyconsul.agent.httpapi.codec.gojson import JSONError, parse
from pyconsul.agent.httpapi.core.response import HTTPError, bad_request
from pyconsul.agent.sync.definition import DefinitionError, ServiceDefinition, service_from_config

SOURCE = "the request"


def from_file_form(body: bytes) -> ServiceDefinition | None:
    """Return the definition in a body that wraps it in `service`; None when the body is not of that form.

    Raises HTTPError 400, which names the key that is wrong.
    """
    if not body.lstrip().startswith(b"{"):
        return None
    try:
        document = parse(body)
    except JSONError:
        return None  # the decoder of plain bodies reports the error
    if len(document) != 1 or next(iter(document)).lower() != "service":
        return None
    problems = Problems()
    found = services(next(iter(document.values())), SOURCE, "service", problems)
    if problems.errors:
        raise bad_request("\n".join(problems.errors))
    if len(found) != 1:
        raise bad_request(f"{SOURCE} defines {len(found)} services; register one at a time")
    try:
        return service_from_config(found[0].body, SOURCE)
    except DefinitionError as error:
        raise bad_request(str(error)) from None
    except CheckError as error:
        raise HTTPError(error.status, error.text) from None
