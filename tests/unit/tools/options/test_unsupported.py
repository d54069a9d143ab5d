"""Settings of Vault and Nomad are accepted with a warning; unknown keys suggest the nearest; help fits 80 columns."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.agent.common.option_help import option_rows, render_help
from pyconsul.agent.common.options import Option
from pyconsul.tools.envconsul import options as envconsul
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.settings import Settings, merge, normalize, parse_flags
from pyconsul.tools.options.unsupported import warn_of_unsupported
from pyconsul.tools.template.options import table as template

TOOLS = pytest.mark.parametrize("options", [template.OPTIONS, envconsul.OPTIONS], ids=["template", "envconsul"])


def warnings(options: tuple[Option[Any], ...], argv: list[str], document: dict[str, Any]) -> list[str]:
    tree = merge(normalize(options, document, "f"), parse_flags(options, argv).tree)
    told: list[str] = []
    warn_of_unsupported(Settings(options, tree, {}), told.append)
    return told


@TOOLS
def test_vault_and_nomad_are_accepted_with_a_warning(options: tuple[Option[Any], ...]) -> None:
    argv = ["-vault-renew-token=false", "-vault-addr", "https://v:8200", "-nomad-addr=http://n:4646"]
    assert [text.split()[3] for text in warnings(options, argv, {})] == ["vault", "nomad"]
    document = {"vault": {"renew_token": False, "retry": {"enabled": True}, "ssl": [{"verify": False}]}}
    assert [text.split()[3] for text in warnings(options, [], document)] == ["vault"]
    assert warnings(options, [], {}) == []


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        ({"template": {"sorce": "a"}}, "did you mean source?"),
        ({"http_addr_status": "x"}, "the setting of -http-addr-status is status { address = … }"),
        ({"status": {"zzz": 1}}, "allowed: "),
        ({"zzz": 1}, "-h and the man page list all keys"),
    ],
)
def test_unknown_keys_suggest_the_nearest(document: dict[str, Any], hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        normalize(template.OPTIONS, document, "f.hcl")
    assert hint in str(caught.value)
    assert len(str(caught.value)) < 160


@TOOLS
def test_help_fits_80_columns_and_hides_options_without_effect(options: tuple[Option[Any], ...]) -> None:
    documented = template.DOCUMENTED if options is template.OPTIONS else envconsul.DOCUMENTED
    text = render_help("x", lists=[("Options", option_rows(documented))], width=80)
    assert [line for line in text.splitlines() if len(line) > 80 and " " in line.strip()] == []
    assert "vault" not in text
    assert "(0.0" not in text
