"""All functions of the Sprig library that consul-template offers, under their names there: `sprig_upper` …

Those that depend on the surroundings (date, now, env, random texts …) are not there, as in consul-template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from pyconsul.tools.template.go.errors import GoError
from pyconsul.tools.template.go.functions import (
    sprig_dicts,
    sprig_encoding,
    sprig_lists,
    sprig_numbers,
    sprig_semver,
    sprig_text,
    sprig_time,
    sprig_types,
)
from pyconsul.tools.template.go.signature import ANY, Function, function

# Keys, certificates and chance: a file that is rendered again would differ each time.
UNSUPPORTED = (
    "ago",
    "bcrypt",
    "buildCustomCert",
    "decryptAES",
    "derivePassword",
    "encryptAES",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htpasswd",
    "randInt",
    "shuffle",
)


def _unsupported(name: str) -> Function:
    def refuse(*values: Any) -> NoReturn:
        raise GoError(f"sprig_{name} is not supported: its result differs each time a template is rendered")

    return function(refuse, "..." + ANY)


_FAMILIES = (
    sprig_text.FUNCTIONS,
    sprig_numbers.FUNCTIONS,
    sprig_lists.FUNCTIONS,
    sprig_dicts.FUNCTIONS,
    sprig_types.FUNCTIONS,
    sprig_encoding.FUNCTIONS,
    sprig_time.FUNCTIONS,
    sprig_semver.FUNCTIONS,
)

FUNCTIONS: Mapping[str, Function] = {
    **{f"sprig_{name}": _unsupported(name) for name in UNSUPPORTED},
    **{f"sprig_{name}": call for family in _FAMILIES for name, call in family.items()},
}
